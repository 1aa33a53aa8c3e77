import { parseId, type AppId } from '#lib/ids.ts'
import type { ControlContext } from '../control/context.ts'
import { findChannel, type ChannelRow } from '../control/channels-db.ts'
import type { ApiAnswer } from './api-scope.ts'

// What names a channel: a small number in v1 and v2; in v3 its app's uuid, also with Heroku's
// "app-" before it. Each version takes both.

/** The channel of that name; throws `missing` when there is none. */
export async function channelOf(
  { pool }: ControlContext,
  name: string,
  missing: ApiAnswer,
): Promise<ChannelRow> {
  const appId = readAppId(name)
  const number = /^\d{1,15}$/.test(name) ? Number(name) : undefined
  const by = appId ? { appId } : number === undefined ? undefined : { number }
  const channel = by && (await findChannel(pool, by))
  if (!channel) throw missing
  return channel
}

export function readAppId(name: string): AppId | undefined {
  return parseId<AppId>(name.replace(/^app-/, ''))
}
