import type { NatsConnection } from '@nats-io/transport-node'
import { isPlexusError } from '#lib/errors.ts'
import { isUuid, parseId, type AppId } from '#lib/ids.ts'
import type { Log } from '#lib/log.ts'
import { startPeriodic } from '#lib/periodic.ts'
import { rpcClient, type RpcClient } from '#lib/rpc.ts'
import { AppsService } from '#proto/apps/v1/apps_pb.ts'
import type { FindMappedApp, MappedApp } from '../ingest/mapped-sources.ts'
import type { ListenerSetting } from '../ingest/listener-setting.ts'
import { mappedAppsFirstLookMs, mappedAppsPollMs, mappedAppsRetryMs } from '../limits.ts'
import { ensureToken } from './channels.ts'
import type { ControlContext } from './context.ts'

/** The source that lines of senders without a token show. */
const source = 'syslog'

/** What an app that the operator declares is, as far as is known. */
type Followed = MappedApp & { app: string; appId: AppId | undefined; said: string }

export type MappedApps = { find: FindMappedApp; stop: () => Promise<void> }

/**
 * Follows the apps that listeners are declared for. One that is given by its name is that app from
 * then on, also when it is renamed; when it is destroyed the name may become another's. Waits a
 * while for the first answer, so that listeners do not open before it is known whose lines come.
 */
export async function followMappedApps(
  context: ControlContext,
  { listeners, nats, log }: { listeners: ListenerSetting[]; nats: NatsConnection; log: Log },
): Promise<MappedApps> {
  const names = listeners.flatMap(({ app, map }) => [app, ...map.map((entry) => entry.app)])
  const wanted = new Set(names.filter((name) => name !== ''))
  const followed = [...wanted].map((app): Followed => ({
    app,
    appId: undefined,
    token: undefined,
    said: '',
  }))
  const find: FindMappedApp = (app) => followed.find((each) => each.app === app)
  if (followed.length === 0) return { find, stop: () => Promise.resolve() }
  const apps = rpcClient(nats, 'apps', AppsService)
  const look = (): Promise<void> => lookAt(context, followed, apps, log)
  await firstLook(look, log)
  const stop = startPeriodic({
    what: 'apps of listeners',
    everyMs: mappedAppsPollMs,
    work: look,
    log,
  })
  return { find, stop }
}

/** Tries until it is answered, or for a while: all services may be starting just now. */
async function firstLook(look: () => Promise<void>, log: Log): Promise<void> {
  const end = Date.now() + mappedAppsFirstLookMs
  for (;;) {
    try {
      return await look()
    } catch (error) {
      if (Date.now() > end) {
        log.warn({ err: error }, 'apps of listeners are not known yet')
        return
      }
    }
    await new Promise((resolve) => setTimeout(resolve, mappedAppsRetryMs))
  }
}

async function lookAt(
  context: ControlContext,
  followed: Followed[],
  apps: RpcClient<typeof AppsService>,
  log: Log,
): Promise<void> {
  const ids = followed.flatMap(({ app, appId }) => appId ?? parseId<AppId>(app) ?? [])
  const names = followed.map(({ app }) => app).filter((app) => !isUuid(app))
  const found = (await apps.filterApps({ appIds: ids, names })).apps
  for (const each of followed) {
    const app =
      found.find(({ id }) => id === each.appId) ??
      found.find(({ id, name }) => id === each.app || name === each.app)
    each.appId = app && parseId<AppId>(app.id)
    const token = each.appId && (await tokenOf(context, each.appId))
    each.token = token === undefined ? undefined : Buffer.from(token)
    say(each, app?.name, log)
  }
}

/** The app's token; none when it has been destroyed just now. */
async function tokenOf(context: ControlContext, appId: AppId): Promise<string | undefined> {
  const made = await ensureToken(context, appId, source).catch((error: unknown) => {
    if (isPlexusError(error)) return undefined
    throw error
  })
  return made?.token
}

/** Says once what has come of it. */
function say(each: Followed, name: string | undefined, log: Log): void {
  const { app, appId } = each
  const said = `${appId} ${name}`
  if (said === each.said) return
  each.said = said
  if (appId === undefined) log.warn({ app }, 'no app of a listener: its lines are dropped')
  else if (name === app || isUuid(app)) log.info({ app, appId, name }, 'app of a listener')
  else log.warn({ app, appId, name }, 'app of a listener has another name now: change the setting')
}
