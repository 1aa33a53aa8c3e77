import { parseId, type AppId } from '#lib/ids.ts'
import { bufferOf } from '../bytes.ts'
import type { Redis } from '../redis.ts'
import { logFunctions } from './log-functions.ts'
import type { Appended, LogBounds, LogChunk, LogReading, PostPart } from './app-log.ts'
import {
  logKeptSeconds,
  logLinesMin,
  logsScannedAtOnce,
  onceKeptSeconds,
  postsKeptMax,
  postsKeptSeconds,
  readTriesMax,
  removedKeptSeconds,
} from '../limits.ts'
import { callFunction, functionCommand, type RedisCommand } from '../redis-functions.ts'

// The calls of log-functions.ts with their keys, arguments and answers. All reject with the
// client's error when Redis is away.

const keyOf = (appId: AppId): string => `plexus:log:{${appId}}`

/** Lines for one log; bytesMax is what it may weigh then, beyond its newest lines. */
export type LogAppend = { appId: AppId; count: number; frames: Uint8Array; bytesMax: number }

/** A writer's batches are numbered; its last one may be given again and is then not added again. */
export type BatchAppend = LogAppend & {
  batch: number
  /** The posts in it: what is in the log already of these is not added. */
  parts: readonly PostPart[]
  /**
   * Number of the line that the log is believed to end with: the lines are placed behind it, which
   * costs Redis less when they are many bytes (decision 9). Nothing is added where the log ends
   * elsewhere.
   */
  behind?: number | undefined
}

/** What a log weighs: its bytes, and whether it has lines beyond those that it always keeps. */
export type LogWeight = { bytes: number; canShrink: boolean }

/** What became of an append, and the log's weight when there were lines to be added. */
export type LogAppended = Appended & { weight?: LogWeight }

/** An append's lines were placed where the log did not end, or what they were is there in part. */
export const misplaced = Symbol('misplaced')

/** Appends of one writer, each to another log, in one call; answers in their order. */
export async function appendLogs(
  redis: Redis,
  writer: string,
  appends: BatchAppend[],
): Promise<(LogAppended | typeof misplaced)[]> {
  const placed: RedisCommand[] = []
  const args = [...appendRules, ...postRules, writer]
  for (const { appId, count, frames, bytesMax, batch, parts, behind } of appends) {
    const bytes = bufferOf(frames)
    const isPlaced = behind !== undefined
    if (isPlaced) placed.push(['XADD', keyOf(appId), `${behind + count}-${count}`, 'f', bytes])
    args.push(String(batch), String(bytesMax), isPlaced ? '' : bytes)
    args.push(String(behind ?? ''), String(frames.length), String(count), String(parts.length))
    for (const { post, from, to, start, end } of parts)
      args.push(post, String(from), String(to), String(start), String(end))
  }
  const keys = appends.map(({ appId }) => keyOf(appId))
  const first = placed.map(([, key]) => String(key))
  const tidy = placed.length > 0 ? [functionCommand(logFunctions, 'plexus_log_tidy', first)] : []
  const reply = await call(redis, 'plexus_log_append', keys, args, [...tidy, ...placed])
  return (reply as number[][]).map((answer) =>
    answer[0] === -1 ? misplaced : readAppended(answer),
  )
}

/** Adds the lines unless some were added by that id. */
export async function appendOnce(
  redis: Redis,
  { appId, count, frames, bytesMax }: LogAppend,
  id: string,
): Promise<LogAppended> {
  const keys = [keyOf(appId), `${keyOf(appId)}:once:${id}`]
  const lines = [bufferOf(frames), String(count), String(bytesMax)]
  const args = [...lines, ...appendRules, String(onceKeptSeconds)]
  return readAppended((await call(redis, 'plexus_log_append_once', keys, args)) as number[])
}

const appendRules: (string | Buffer)[] = [String(logLinesMin), String(logKeptSeconds)]
const postRules = [String(postsKeptMax), String(postsKeptSeconds)]

function readAppended([first = 0, , added = 0, bytes, spare]: number[]): LogAppended {
  if (bytes === undefined) return { first, added }
  return { first, added, weight: { bytes, canShrink: spare === 1 } }
}

/** Lets go of the oldest lines beyond so many bytes, but for the newest 1,500. */
export async function shrinkLog(redis: Redis, appId: AppId, bytesMax: number): Promise<LogWeight> {
  const args = [String(bytesMax), String(logLinesMin)]
  const reply = (await call(redis, 'plexus_log_shrink', [keyOf(appId)], args)) as [number, number]
  return { bytes: reply[0], canShrink: reply[1] === 1 }
}

/** Apps that have a log, some at a time: begin with cursor 0, go on until it is 0 again. */
export async function scanLogs(
  redis: Redis,
  cursor: string,
): Promise<{ cursor: string; appIds: AppId[] }> {
  const pattern = { MATCH: `${keyOf('*' as AppId)}:meta`, COUNT: logsScannedAtOnce }
  const found = await redis.scan(cursor, pattern)
  const appIds = found.keys.flatMap((key) => parseId<AppId>(String(key).slice(12, 48)) ?? [])
  return { cursor: String(found.cursor), appIds }
}

/** Numbers of the log's oldest and newest line. */
export async function logBounds(redis: Redis, appId: AppId): Promise<LogBounds> {
  const reply = (await call(redis, 'plexus_log_bounds', [keyOf(appId)], [])) as [number, number]
  return { head: reply[0], oldest: reply[1] }
}

/** Chunks from the one that holds `from`, with so many bytes if there are, oldest first. */
export async function readLog(
  redis: Redis,
  appId: AppId,
  from: number,
  bytesWanted: number,
): Promise<LogReading> {
  const span = { name: 'plexus_log_span', args: [String(from), String(bytesWanted)] }
  return readSpan(redis, appId, span, (count) =>
    redis.sendCommand(['XRANGE', keyOf(appId), String(from), '+', 'COUNT', String(count)]),
  )
}

/** The newest chunks that end before `before`, with so many bytes if there are, oldest first. */
export async function readLogBack(
  redis: Redis,
  appId: AppId,
  before: number,
  bytesWanted: number,
): Promise<LogReading> {
  const ending = before === Infinity ? '+' : String(before)
  const span = { name: 'plexus_log_span_back', args: [ending, String(bytesWanted)] }
  const reading = await readSpan(redis, appId, span, (count, head) => {
    const newest = String(Math.min(before - 1, head))
    return redis.sendCommand(['XREVRANGE', keyOf(appId), newest, '-', 'COUNT', String(count)])
  })
  return { ...reading, chunks: reading.chunks.toReversed() }
}

type Entry = [id: Buffer, fields: Buffer[]]

/** As many entries as a function of ours says, without a way through it. */
async function readSpan(
  redis: Redis,
  appId: AppId,
  span: { name: string; args: string[] },
  entries: (count: number, head: number) => Promise<Entry[]>,
): Promise<LogReading> {
  for (let tries = 1; tries <= readTriesMax; tries++) {
    const asked = call(redis, span.name, [keyOf(appId)], span.args) as Promise<number[]>
    const [head = 0, oldest = 1, count = 0] = await asked
    const bounds = { head, oldest }
    if (count === 0) return { chunks: [], bounds }
    const found = await entries(count, head)
    const chunks = found.map(readChunk).filter((chunk) => chunk.first + chunk.count - 1 <= head)
    // None: all of them were let go meanwhile.
    if (chunks.length > 0) return { chunks, bounds }
  }
  throw new Error('lines of a log are let go faster than they can be read')
}

/** An entry's id is `<number of the last line>-<lines>`. */
function readChunk([id, [, frames]]: Entry): LogChunk {
  const [last, count] = id.toString('latin1').split('-').map(Number)
  if (!frames || last === undefined || count === undefined)
    throw new Error(`no chunk of a log: ${String(id)}`)
  return { first: last - count + 1, count, frames }
}

/** Lets all of an app's log go in so many seconds, unless it is appended to again. */
export async function expireLog(redis: Redis, appId: AppId, seconds: number): Promise<void> {
  const key = keyOf(appId)
  await Promise.all([key, `${key}:meta`, `${key}:sizes`].map((each) => redis.expire(each, seconds)))
}

export async function removeLog(redis: Redis, appId: AppId): Promise<void> {
  await call(redis, 'plexus_log_remove', [keyOf(appId)], [String(removedKeptSeconds)])
}

function call(
  redis: Redis,
  name: string,
  keys: string[],
  args: (string | Buffer)[],
  before: RedisCommand[] = [],
): Promise<unknown> {
  return callFunction(redis, logFunctions, { name, keys, args, before })
}
