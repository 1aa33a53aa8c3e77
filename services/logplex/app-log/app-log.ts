import type { AppId } from '#lib/ids.ts'

/** Lines first … first+count-1 of an app's log, as a run of stored frames (stored-line.ts). */
export type LogChunk = { first: number; count: number; frames: Uint8Array }

/** Numbers of the oldest line that is kept and of the newest; an empty log: oldest = head + 1. */
export type LogBounds = { oldest: number; head: number }

export type LogReading = { chunks: LogChunk[]; bounds: LogBounds }

/**
 * The logs of all apps: per app one sequence of lines with numbers that start at 1 and only grow,
 * of which the newest are kept. Drains and tails are positions in it.
 */
export type AppLog = {
  /**
   * Adds `count` lines and gives the number of the first. The frames belong to the log from then
   * on: the caller may not write to them again. With `once`, lines of that id that are already in
   * the log are not added a second time (remembered for a day). While Redis is away it goes on
   * trying, and rejects only when the log is closed. Gives 0 when the log was removed.
   */
  append: (appId: AppId, count: number, frames: Uint8Array, once?: string) => Promise<number>
  /**
   * Chunks that hold lines >= from, oldest first, up to maxBytes (at least one chunk if there is
   * one). The first may start before `from` (its earlier lines are to be skipped) or after it (the
   * lines between are gone: loss, exactly countable). Chunks are shared: do not write to them.
   */
  read: (appId: AppId, from: number, maxBytes: number) => Promise<LogReading>
  /**
   * The newest chunks that end before the line `before` (Infinity: the log's newest), up to
   * maxBytes (at least one chunk if there is one), oldest first. `before` is where a chunk begins:
   * so a log is read backwards, chunk by chunk.
   */
  readBack: (appId: AppId, before: number, maxBytes: number) => Promise<LogReading>
  bounds: (appId: AppId) => Promise<LogBounds>
  /**
   * Calls the listener when that app's log has grown: appended here, told by another process over
   * NATS, or found by a slow poll when NATS is away. Not every growth is told separately.
   *
   * @returns a function that ends the listening.
   */
  onGrew: (appId: AppId, listener: (head: number) => void) => () => void
  /** Forgets the app's log, its numbers too. */
  remove: (appId: AppId) => Promise<void>
}
