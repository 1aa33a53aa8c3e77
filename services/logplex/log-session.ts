import type { AccountId, AppId, SessionId } from '#lib/ids.ts'

/** What a log session shows: made by the control side, opened by a tail. */
export type LogSession = {
  id: SessionId
  appId: AppId
  /** Who asked for it. */
  accountId: AccountId
  /** History to begin with, newest lines that pass the filters; 0 means none. */
  lines: number
  tail: boolean
  /** Exact source; empty: all. */
  source: string
  /** "web.1" exactly, or "web" the type; empty: all. */
  dyno: string
  /** Text that the message holds, byte for byte; empty: any. */
  match: string
  /** Regular expression (RE2) that the message holds a match of; empty: any. */
  pattern: string
  /** Only lines from this time on, and only those before that one: ms since the epoch. */
  sinceMs: number | undefined
  untilMs: number | undefined
  createdAt: Date
  /** Then it is unknown, and the tails that it opened end. */
  endsAt: Date
}

/**
 * The session of that id, or undefined when there is none, or it was not opened in time, has ended
 * or was revoked.
 */
export type FindSession = (id: SessionId) => Promise<LogSession | undefined>

/**
 * Which sessions of an app are void: that of an account that may no longer see it, and all once the
 * app is gone. True of those that must not be opened, and whose tails must end.
 */
export type FindRevocations = (appId: AppId) => Promise<(session: LogSession) => boolean>
