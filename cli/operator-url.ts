import { loadCredentials } from '../local-platform/credentials.ts'
import { requirePlatform } from '../local-platform/running-platform.ts'
import { natsUrl } from '../local-platform/service-env.ts'

/** For the help of commands that are the operator's. */
export const operatorHelp = `Elsewhere than on this machine, PLEXUS_NATS_URL says where to ask, with the operator's user and
password.`

/** Where the operator asks: PLEXUS_NATS_URL, or the platform that runs here. */
export async function operatorUrl(env: NodeJS.ProcessEnv): Promise<string> {
  const given = env['PLEXUS_NATS_URL']
  if (given !== undefined) return given
  const { layout } = await requirePlatform(env)
  return natsUrl(layout, await loadCredentials(layout.home), 'operator')
}
