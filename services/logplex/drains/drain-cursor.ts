import type { DrainId } from '#lib/ids.ts'
import type { Redis } from '../redis.ts'
import type { Loss } from '../loss.ts'
import { callFunction } from '../redis-functions.ts'
import { drainFunctions } from './drain-functions.ts'

/** Where a drain stands in its app's log, durable in Redis: counts are lines since it was added. */
export type DrainCursor = {
  /** Number of the first line that is neither delivered nor dropped. */
  next: number
  delivered: number
  /** Dropped because the buffer moved past the drain. */
  overflowed: number
  /** Dropped because the receiver refused them for good. */
  refused: number
  /**
   * Numbers that the cursor moved past and that stand for no line of the drain: lines that no drain
   * is to have (L14). Less by so much as the numbers went back when the log was lost.
   */
  uncounted: number
  /** Dropped because the drain's options leave them out: nobody is told. */
  filtered: number
  /** Lines that it was moved back by, to have them once more … */
  replayed: number
  /** … and how often: whoever runs it sees by this that it was moved. */
  moves: number
  /** Dropped lines that the receiver has not been told of yet (L10 in the next batch). */
  lost: Loss
  /** Dropped lines that the app's own log has not been told of yet. */
  untold: Loss
  /** When the app's log was told last, in milliseconds since 1970; 0: never. */
  toldAt: number
  /** When it was told last that the receiver's certificate is no good, likewise. */
  untrustedToldAt: number
  /** TIME of line `next`, when it was seen: the time of the first loss if it gets lost. */
  nextTime: string
  /** What came of the last batch, and when, in milliseconds since 1970; 0: there was none. */
  lastAnswer: string
  answeredAt: number
  /** What went wrong last; empty while all is well. */
  lastError: string
}

/** A process that runs drains. */
export type DrainOwner = { name: string; leaseMs: number }

const cursorKey = (id: DrainId): string => `plexus:drain:{${id}}`
const ownerKey = (id: DrainId): string => `plexus:drain:{${id}}:owner`

/** The cursor, now ours until the lease ends; undefined when another process has the drain. */
export async function claimDrain(
  redis: Redis,
  owner: DrainOwner,
  id: DrainId,
  firstLine: number,
): Promise<DrainCursor | undefined> {
  const reply = await call(redis, 'plexus_drain_claim', id, [
    owner.name,
    String(owner.leaseMs),
    String(firstLine),
  ])
  return Array.isArray(reply) ? parseCursor(toRecord(reply), firstLine) : undefined
}

/**
 * Makes the lease last longer; false when another process has the drain by now, or its cursor was
 * moved back since it was claimed.
 */
export async function renewDrain(
  redis: Redis,
  owner: DrainOwner,
  id: DrainId,
  moves: number,
): Promise<boolean> {
  const args = [owner.name, String(owner.leaseMs), String(moves)]
  return (await call(redis, 'plexus_drain_renew', id, args)) === 1
}

/** Where a drain stands after it was moved back, and by how many lines. */
export type Replay = { from: number; lines: number }

/**
 * Moves a cursor back to a line, unless it has not come so far, and takes the drain from its owner:
 * what that has in flight does not count, and is sent again. Done whole or not at all.
 */
export async function replayDrain(
  redis: Redis,
  id: DrainId,
  firstLine: number,
  to: number,
): Promise<Replay> {
  const reply = await call(redis, 'plexus_drain_replay', id, [String(firstLine), String(to)])
  const [from, lines] = (reply as unknown[]).map(Number)
  return { from: from ?? firstLine, lines: lines ?? 0 }
}

/** What is to change of a drain's cursor, which is believed to stand at `expectedNext`. */
export type CursorCommit = {
  id: DrainId
  expectedNext: number
  cursor: Partial<DrainCursor> & Pick<DrainCursor, 'next'>
}

/**
 * Writes each cursor if the drain is still ours and still stands where we think it does, or has
 * already been written by a try whose answer was lost. False: another process has it.
 */
export async function commitCursors(
  redis: Redis,
  owner: DrainOwner,
  commits: CursorCommit[],
): Promise<boolean[]> {
  const args = [owner.name]
  for (const { expectedNext, cursor } of commits) {
    const fields = [String(expectedNext), String(cursor.next), ...toFields(cursor)]
    args.push(String(fields.length), ...fields)
  }
  const keys = commits.flatMap(({ id }) => [cursorKey(id), ownerKey(id)])
  const name = 'plexus_drain_commit'
  const answers = (await callFunction(redis, drainFunctions, { name, keys, args })) as number[]
  return answers.map((answer) => answer === 1)
}

/** Gives the drain up, so that another process can have it at once. */
export async function releaseDrain(redis: Redis, owner: DrainOwner, id: DrainId): Promise<void> {
  await call(redis, 'plexus_drain_release', id, [owner.name])
}

/** Which of the drains nobody owns now. */
export async function findUnowned(redis: Redis, ids: DrainId[]): Promise<DrainId[]> {
  if (ids.length === 0) return []
  const owners = await redis.mGet(ids.map(ownerKey))
  return ids.filter((_, index) => owners[index] === null)
}

/** The cursor as it is now, whoever runs the drain. */
export async function readCursor(
  redis: Redis,
  id: DrainId,
  firstLine: number,
): Promise<DrainCursor> {
  const fields: Record<string, unknown> = await redis.hGetAll(cursorKey(id))
  return parseCursor(new Map(Object.entries(fields).map(([k, v]) => [k, String(v)])), firstLine)
}

/** The drain was removed: its cursor goes after some time, in case that proves untrue. */
export async function expireCursor(redis: Redis, id: DrainId, seconds: number): Promise<void> {
  await redis.expire(cursorKey(id), seconds)
}

/** What of a change is not so already: most batches move two numbers. */
export function newFields(cursor: DrainCursor, change: Partial<DrainCursor>): Partial<DrainCursor> {
  const changed = { ...change }
  for (const field of ['lost', 'untold'] as const) {
    const { count, since } = cursor[field]
    if (changed[field]?.count === count && changed[field].since === since) delete changed[field]
  }
  const fields = ['delivered', 'filtered', 'uncounted', 'toldAt', 'nextTime', 'lastError'] as const
  for (const field of fields) if (changed[field] === cursor[field]) delete changed[field]
  return changed
}

function toFields(cursor: Partial<DrainCursor>): string[] {
  const { lost, untold } = cursor
  return Object.entries({
    next: cursor.next,
    delivered: cursor.delivered,
    overflowed: cursor.overflowed,
    refused: cursor.refused,
    uncounted: cursor.uncounted,
    filtered: cursor.filtered,
    lost: lost?.count,
    lost_since: lost?.since,
    untold: untold?.count,
    untold_since: untold?.since,
    told_at: cursor.toldAt,
    untrusted_told_at: cursor.untrustedToldAt,
    next_time: cursor.nextTime,
    last_answer: cursor.lastAnswer,
    answered_at: cursor.answeredAt,
    last_error: cursor.lastError,
  }).flatMap(([field, value]) => (value === undefined ? [] : [field, String(value)]))
}

function parseCursor(fields: Map<string, string>, firstLine: number): DrainCursor {
  const number = (field: string, fallback = 0): number => Number(fields.get(field) ?? fallback)
  const text = (field: string): string => fields.get(field) ?? ''
  return {
    next: number('next', firstLine),
    delivered: number('delivered'),
    overflowed: number('overflowed'),
    refused: number('refused'),
    uncounted: number('uncounted'),
    filtered: number('filtered'),
    replayed: number('replayed'),
    moves: number('moves'),
    lost: { count: number('lost'), since: text('lost_since') },
    untold: { count: number('untold'), since: text('untold_since') },
    toldAt: number('told_at'),
    untrustedToldAt: number('untrusted_told_at'),
    nextTime: text('next_time'),
    lastAnswer: text('last_answer'),
    answeredAt: number('answered_at'),
    lastError: text('last_error'),
  }
}

function toRecord(reply: unknown[]): Map<string, string> {
  const fields = new Map<string, string>()
  for (let index = 0; index + 1 < reply.length; index += 2)
    fields.set(String(reply[index]), String(reply[index + 1]))
  return fields
}

function call(redis: Redis, name: string, id: DrainId, args: string[]): Promise<unknown> {
  return callFunction(redis, drainFunctions, { name, keys: [cursorKey(id), ownerKey(id)], args })
}
