import { readLayout } from '../local-platform/layout.ts'
import { platformEnvFile, readPlatformEnv } from '../local-platform/platform-env.ts'
import { UsageError } from './command.ts'
import type { ApiAccess } from '../client/platform-api.ts'

/**
 * The API and token to use: those of the environment, else those of the platform that runs here.
 *
 * @throws UsageError when neither says.
 */
export async function readAccess(env: NodeJS.ProcessEnv): Promise<ApiAccess> {
  const { home } = readLayout(env)
  const here = await readPlatformEnv(home)
  const apiUrl = env['PLEXUS_API_URL'] || here?.['PLEXUS_API_URL']
  // Set and empty is a choice: the official CLI then uses what `login` has stored.
  const token = env['PLEXUS_API_TOKEN'] ?? here?.['PLEXUS_API_TOKEN']
  if (!apiUrl || token === undefined)
    throw new UsageError(
      `No platform is ready here (there is no ${platformEnvFile(home)}). Start one with npm start, ` +
        'or set PLEXUS_API_URL and PLEXUS_API_TOKEN.',
    )
  return { apiUrl, token }
}
