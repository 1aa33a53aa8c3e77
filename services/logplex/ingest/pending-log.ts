import type { AppId } from '#lib/ids.ts'
import type { Chunk } from '../app-log/chunk.ts'
import type { Allowance } from './allowances.ts'
import type { TokenRoute } from './token-table.ts'

/**
 * What became of lines: in Redis, now or already; refused because their app has been destroyed; or
 * the log was closed before it had them.
 */
export type LineFate = 'appended' | 'removed' | 'closed'

/** One app's lines that are accepted and not yet in Redis; it lives while there are any. */
export type PendingLog = {
  appId: AppId
  /** Those that know this one, to forget it with its last line. */
  routes: TokenRoute[]
  /** The chunk that lines are added to; made with its first line. */
  chunk: Chunk | undefined
  /** Full chunks that wait for those before them, oldest first. */
  sealed: Chunk[]
  /** Of all its lines. */
  bytes: number
  /** What the app may still give; of the intake's Allowances. */
  allowance: Allowance
  /** Senders that are held back until there is room for this app's lines. */
  held: Set<HeldSender>
  sending: boolean
  marked: boolean
  accepted: number
  settled: number
  /** Who waits for the first so many lines, in their order. */
  waiting: Set<{ upTo: number; done: (fate: LineFate) => void }>
}

/** Who sends no more until it is told to go on, such as a socket. */
export type HeldSender = { resume: () => unknown }

export function newPendingLog(appId: AppId, allowance: Allowance): PendingLog {
  return {
    ...{ appId, allowance },
    routes: [],
    chunk: undefined,
    sealed: [],
    bytes: 0,
    held: new Set(),
    sending: false,
    marked: false,
    accepted: 0,
    settled: 0,
    waiting: new Set(),
  }
}

/** The oldest chunk, which is taken out; undefined when there is none. */
export function takeChunk(pending: PendingLog): Chunk | undefined {
  const sealed = pending.sealed.shift()
  if (sealed) return sealed
  const { chunk } = pending
  pending.chunk = undefined
  return chunk
}

/** So many more lines have met their fate: tells those who waited for no more than that. */
export function settleLines(pending: PendingLog, lines: number, fate: LineFate): void {
  pending.settled += lines
  for (const waiter of pending.waiting) {
    if (waiter.upTo > pending.settled) break
    pending.waiting.delete(waiter)
    waiter.done(fate)
  }
}

/** There is room for the app's lines again. */
export function resumeHeld({ held }: PendingLog): void {
  for (const sender of held) sender.resume()
  held.clear()
}
