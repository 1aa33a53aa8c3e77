import type { AppId, DrainId } from '#lib/ids.ts'

/** A drain as the control side knows it; the drains side runs one cursor for each. */
export type LogDrain = {
  id: DrainId
  appId: AppId
  /** "d.<uuid>": the receiver's name for it. */
  token: string
  /** May hold credentials: never logged. Behind its # are options (drains/drain-options.ts). */
  url: string
  /** What an http drain sends beyond its own; may hold credentials: never logged. */
  headers?: Readonly<Record<string, string>> | undefined
  /**
   * Number of the first line that it is to have: the next one when it was added, or an earlier one
   * that the buffer still had.
   */
  firstLine: number
  /** It stands still, and is not to be run now. */
  paused?: boolean
}

/** received = delivered + pending + dropped, in lines since the drain was added. */
export type LogDrainState = {
  received: number
  delivered: number
  pending: number
  dropped: number
  /** Dropped because the log had to let them go before the receiver took them … */
  overflowed: number
  /** … because the receiver refused them for good … */
  refused: number
  /** … and because the drain's options leave them out. */
  filtered: number
  /** Lines that were received once more, for the drain was moved back to them. */
  replayed: number
  /** Age of the oldest pending line by its own time; 0 without one, undefined when it has none. */
  lagSeconds: number | undefined
  /** What came of the last batch; undefined before the first. */
  lastAnswer: { text: string; at: Date } | undefined
  /** Empty while all is well. */
  lastError: string
}
