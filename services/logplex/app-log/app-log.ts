import type { AppId } from '#lib/ids.ts'

/** Lines first … first+count-1 of an app's log, as a run of stored frames (stored-line.ts). */
export type LogChunk = { first: number; count: number; frames: Uint8Array }

/** Numbers of the oldest line that is kept and of the newest; an empty log: oldest = head + 1. */
export type LogBounds = { oldest: number; head: number }

export type LogReading = { chunks: LogChunk[]; bounds: LogBounds }

/**
 * A run of lines of one post within a chunk: its lines from … to-1, counted from 0 within what the
 * post holds for that app, lie at start … end-1 of the chunk's frames.
 */
export type PostPart = { post: string; from: number; to: number; start: number; end: number }

/** What lines are known by that may be given again: an id for all of them, or the posts in them. */
type Once = string | readonly PostPart[]

/** Number of the first line that was added (0: the log was removed), and how many were. */
export type Appended = { first: number; added: number }

/**
 * The logs of all apps: per app one sequence of lines with numbers that start at 1 and only grow,
 * of which the newest are kept. Drains and tails are positions in it.
 */
export type AppLog = {
  /**
   * Adds `count` lines. The frames belong to the log from then on: the caller may not write to them
   * again. What is in the log already by `once` is not added a second time, whoever added it: lines
   * of that id (remembered for a day), or of these posts (postsKeptSeconds, the parts of a post
   * given in their order). While Redis is away it goes on trying, and rejects only when the log is
   * closed.
   */
  append: (appId: AppId, count: number, frames: Uint8Array, once?: Once) => Promise<Appended>
  /**
   * Chunks that hold lines >= from, oldest first: as many as hold so many bytes of these, or all
   * that there are. The first may start before `from` (its earlier lines are to be skipped) or after
   * it (the lines between are gone: loss, exactly countable). Chunks are shared: do not write to
   * them.
   */
  read: (appId: AppId, from: number, bytesWanted: number) => Promise<LogReading>
  /**
   * The newest chunks that end before the line `before` (Infinity: the log's newest), as many
   * as hold so many bytes, oldest first. `before` is where a chunk begins: so a log is read
   * backwards, chunk by chunk.
   */
  readBack: (appId: AppId, before: number, bytesWanted: number) => Promise<LogReading>
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
