import type { AppId, SessionId } from '#lib/ids.ts'

/** What a log session shows: made by the control side, opened by a tail. */
export type LogSession = {
  id: SessionId
  appId: AppId
  /** History to begin with, newest lines that pass the filters; 0 means none. */
  lines: number
  tail: boolean
  /** Exact source; empty: all. */
  source: string
  /** "web.1" exactly, or "web" the type; empty: all. */
  dyno: string
  createdAt: Date
  /** Then it is unknown, and the tails that it opened end. */
  endsAt: Date
}

/** The session of that id, or undefined when there is none, or it was not opened in time or has ended. */
export type FindSession = (id: SessionId) => Promise<LogSession | undefined>
