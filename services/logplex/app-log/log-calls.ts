import { parseId, type AppId } from '#lib/ids.ts'
import type { Redis } from '../redis.ts'
import { logFunctions } from './log-functions.ts'
import type { Appended, LogChunk, LogReading, PostPart } from './app-log.ts'
import {
  logKeptSeconds,
  logLinesMin,
  logsScannedAtOnce,
  onceKeptSeconds,
  postsKeptMax,
  postsKeptSeconds,
  removedKeptSeconds,
} from '../limits.ts'
import { callFunction } from '../redis-functions.ts'

// The calls of log-functions.ts with their keys, arguments and answers. All reject with the
// client's error when Redis is away.

const keysOf = (appId: AppId): [entries: string, meta: string, sizes: string] => {
  const log = `plexus:log:{${appId}}`
  return [log, `${log}:meta`, `${log}:sizes`]
}

const postKeysOf = (appId: AppId): string[] => {
  const posts = `plexus:log:{${appId}}:posts`
  return [posts, `${posts}:older`]
}

/** Lines for one log; bytesMax is what it may weigh then, beyond its newest lines. */
export type LogAppend = { appId: AppId; count: number; frames: Uint8Array; bytesMax: number }

/** A writer's batches are numbered; its last one may be given again and is then not added again. */
export type BatchAppend = LogAppend & { batch: number }

/** What a log weighs: its bytes, and whether it has lines beyond those that it always keeps. */
export type LogWeight = { bytes: number; canShrink: boolean }

/** What became of an append, and the log's weight when there were lines to be added. */
export type LogAppended = Appended & { weight?: LogWeight }

/** Appends of one writer, each to another log, in one call; answers in their order. */
export async function appendLogs(
  redis: Redis,
  writer: string,
  appends: BatchAppend[],
): Promise<LogAppended[]> {
  const keys = appends.flatMap(({ appId }) => keysOf(appId))
  const args = [...appendRules, writer, ...appends.flatMap(batchArgs)]
  return ((await call(redis, 'plexus_log_append', keys, args)) as number[][]).map(readAppended)
}

/** Adds what is not in the log already of these posts. */
export async function appendPosts(
  redis: Redis,
  writer: string,
  append: BatchAppend,
  parts: readonly PostPart[],
): Promise<LogAppended> {
  const keys = [...keysOf(append.appId), ...postKeysOf(append.appId)]
  const args = [...appendRules, writer, ...batchArgs(append)]
  args.push(String(postsKeptMax), String(postsKeptSeconds))
  for (const { post, from, to, start, end } of parts)
    args.push(post, String(from), String(to), String(start), String(end))
  return readAppended((await call(redis, 'plexus_log_append_posts', keys, args)) as number[])
}

/** Adds the lines unless some were added by that id. */
export async function appendOnce(
  redis: Redis,
  { appId, count, frames, bytesMax }: LogAppend,
  id: string,
): Promise<LogAppended> {
  const [entries, ...others] = keysOf(appId)
  const keys = [entries, ...others, `${entries}:once:${id}`]
  const lines = [bufferOf(frames), String(count), String(bytesMax)]
  const args = [...lines, ...appendRules, String(onceKeptSeconds)]
  return readAppended((await call(redis, 'plexus_log_append_once', keys, args)) as number[])
}

const appendRules = [String(logLinesMin), String(logKeptSeconds)]

const batchArgs = ({ frames, count, batch, bytesMax }: BatchAppend): (string | Buffer)[] => [
  ...[bufferOf(frames), String(count), String(batch), String(bytesMax)],
]

const bufferOf = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength)

function readAppended([first = 0, , added = 0, bytes, spare]: number[]): LogAppended {
  if (bytes === undefined) return { first, added }
  return { first, added, weight: { bytes, canShrink: spare === 1 } }
}

/** Lets go of the oldest lines beyond so many bytes, but for the newest 1,500. */
export async function shrinkLog(redis: Redis, appId: AppId, bytesMax: number): Promise<LogWeight> {
  const args = [String(bytesMax), String(logLinesMin)]
  const reply = (await call(redis, 'plexus_log_shrink', keysOf(appId), args)) as [number, number]
  return { bytes: reply[0], canShrink: reply[1] === 1 }
}

/** Apps that have a log, some at a time: begin with cursor 0, go on until it is 0 again. */
export async function scanLogs(
  redis: Redis,
  cursor: string,
): Promise<{ cursor: string; appIds: AppId[] }> {
  const pattern = { MATCH: keysOf('*' as AppId)[1], COUNT: logsScannedAtOnce }
  const found = await redis.scan(cursor, pattern)
  const appIds = found.keys.flatMap((key) => parseId<AppId>(String(key).slice(12, 48)) ?? [])
  return { cursor: String(found.cursor), appIds }
}

/** Chunks from the one that holds `from`, up to maxBytes but at least one, oldest first. */
export async function readLog(
  redis: Redis,
  appId: AppId,
  from: number,
  maxBytes: number,
): Promise<LogReading> {
  const args = [String(from), String(maxBytes)]
  return readReply(await call(redis, 'plexus_log_read', keysOf(appId), args))
}

/** The newest chunks that end before `before`, up to maxBytes but at least one, oldest first. */
export async function readLogBack(
  redis: Redis,
  appId: AppId,
  before: number,
  maxBytes: number,
): Promise<LogReading> {
  const args = [before === Infinity ? '+' : String(before - 1), String(maxBytes)]
  const reading = readReply(await call(redis, 'plexus_log_read_back', keysOf(appId), args))
  return { ...reading, chunks: reading.chunks.toReversed() }
}

/** Lets all of an app's log go in so many seconds, unless it is appended to again. */
export async function expireLog(redis: Redis, appId: AppId, seconds: number): Promise<void> {
  await Promise.all(keysOf(appId).map((key) => redis.expire(key, seconds)))
}

export async function removeLog(redis: Redis, appId: AppId): Promise<void> {
  const keys = [...keysOf(appId), ...postKeysOf(appId)]
  await call(redis, 'plexus_log_remove', keys, [String(removedKeptSeconds)])
}

function readReply(reply: unknown): LogReading {
  const [head, oldest, ...entries] = reply as [number, number, ...Buffer[]]
  const chunks: LogChunk[] = []
  for (let index = 0; index + 1 < entries.length; index += 2)
    chunks.push(readChunk(String(entries[index]), entries[index + 1]))
  return { chunks, bounds: { oldest, head } }
}

/** An entry's id is `<number of the last line>-<lines>`. */
function readChunk(id: string, frames: Buffer | undefined): LogChunk {
  const [last, count] = id.split('-').map(Number)
  if (!frames || last === undefined || count === undefined)
    throw new Error(`no chunk of a log: ${id}`)
  return { first: last - count + 1, count, frames }
}

function call(
  redis: Redis,
  name: string,
  keys: string[],
  args: (string | Buffer)[],
): Promise<unknown> {
  return callFunction(redis, logFunctions, { name, keys, args })
}
