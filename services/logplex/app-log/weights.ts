import { parseId, type AppId } from '#lib/ids.ts'
import type { Redis } from '../redis.ts'
import { logsScannedAtOnce } from '../limits.ts'
import { callFunction } from '../redis-functions.ts'
import type { LogWeight } from './log-calls.ts'
import { weightFunctions } from './weight-functions.ts'

// The calls of weight-functions.ts. All reject with the client's error when Redis is away.

const weightsKey = 'plexus:{log-weights}'
const keys = [weightsKey, `${weightsKey}:spare`, `${weightsKey}:total`]

/** What all logs weigh, and, when that is too much, which have to become how light. */
export type Balance = { bytes: number; level: number; tooHeavy: AppId[] }

/** Notes what these logs weigh now; nothing of theirs is added to what was noted before. */
export async function noteWeights(
  redis: Redis,
  weights: Iterable<[AppId, LogWeight]>,
  bytesMax: number,
): Promise<Balance> {
  const args = [String(bytesMax)]
  for (const [appId, { bytes, canShrink }] of weights)
    args.push(appId, String(bytes), canShrink ? '1' : '0')
  const call = { name: 'plexus_log_weights_note', keys, args }
  const reply = (await callFunction(redis, weightFunctions, call)) as [number, number?, ...Buffer[]]
  const [bytes, level = Infinity, ...apps] = reply
  return { bytes, level, tooHeavy: apps.flatMap((app) => parseId<AppId>(String(app)) ?? []) }
}

/** Apps whose log's weight is noted, some at a time: begin with cursor 0, go on until it is 0. */
export async function scanWeights(
  redis: Redis,
  cursor: string,
): Promise<{ cursor: string; appIds: AppId[] }> {
  const found = await redis.hScan(weightsKey, cursor, { COUNT: logsScannedAtOnce })
  const appIds = found.entries.flatMap(({ field }) => parseId<AppId>(String(field)) ?? [])
  return { cursor: String(found.cursor), appIds }
}
