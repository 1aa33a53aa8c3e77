import { platformApi, type PlatformApi } from '../client/platform-api.ts'
import { readAccess } from './access.ts'
import { UsageError } from './command.ts'

/** Of commands that are about one app. */
export const appOption = { app: { type: 'string', short: 'a' } } as const

/** The API, and the path of the app. */
export async function openApp(
  app: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<{ api: PlatformApi; path: string }> {
  if (!app) throw new UsageError('Which app? Add -a APP.')
  const api = platformApi(await readAccess(env))
  return { api, path: `/apps/${encodeURIComponent(app)}` }
}
