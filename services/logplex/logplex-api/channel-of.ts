import { parseId, type AppId } from '#lib/ids.ts'
import type { ControlContext } from '../control/context.ts'
import { findChannel, type ChannelRow } from '../control/channels-db.ts'
import type { ApiAnswer } from './api-scope.ts'

// What names a channel: a small number in v1 and v2; in v3 its app's uuid, also with Heroku's
// "app-" before it, or the app's name. Each version takes all of them.

/** The channel of that name; throws `missing` when there is none. */
export async function channelOf(
  context: ControlContext,
  name: string,
  missing: ApiAnswer,
): Promise<ChannelRow> {
  const { pool } = context
  const number = /^\d{1,15}$/.test(name) ? Number(name) : undefined
  const appId = number === undefined ? await findAppId(context, name) : undefined
  const by = appId ? { appId } : number === undefined ? undefined : { number }
  const channel = by && (await findChannel(pool, by))
  if (!channel) throw missing
  return channel
}

/** A uuid need not be any app's; a name must. */
export async function findAppId(
  { apps }: ControlContext,
  name: string,
): Promise<AppId | undefined> {
  const appId = parseId<AppId>(name.replace(/^app-/, ''))
  // No name of an app's: nothing to ask for.
  if (appId || !/^[a-z][a-z0-9-]{2,29}$/.test(name)) return appId
  const [app] = (await apps.filterApps({ names: [name] })).apps
  return app && parseId<AppId>(app.id)
}
