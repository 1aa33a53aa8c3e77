import { invalidParams } from '#lib/errors.ts'
import { newId, parseId, type AccountId, type AppId, type SessionId } from '#lib/ids.ts'
import type { Redis } from '../redis.ts'
import {
  filterCharsMax,
  logLinesMin,
  matchCharsMax,
  sessionOpenedSeconds,
  sessionOpenSeconds,
} from '../limits.ts'
import type { FindSession, LogSession } from '../log-session.ts'
import { patternProblem } from '../tails/pattern.ts'
import { readMoment } from './moment.ts'
import { revocationFinder } from './revocations.ts'

const keyOf = (id: SessionId): string => `plexus:session:${id}`

/** `since` and `until` as they were written: "10m", an RFC 3339 time, or empty. */
export type SessionWish = Omit<
  LogSession,
  'id' | 'createdAt' | 'endsAt' | 'sinceMs' | 'untilMs'
> & { since: string; until: string }

/**
 * Makes a session that is to be opened within five minutes. Its id is random and is the only
 * credential for it.
 */
export async function createSession(
  redis: Redis,
  { since, until, ...wish }: SessionWish,
): Promise<LogSession> {
  checkFilters(wish)
  const createdAt = new Date()
  const session: LogSession = {
    ...wish,
    ...readPeriod(since, until, wish.tail, createdAt),
    lines: Math.min(wish.lines, logLinesMin),
    id: newId<SessionId>(),
    createdAt,
    endsAt: new Date(createdAt.getTime() + (sessionOpenSeconds + sessionOpenedSeconds) * 1_000),
  }
  await redis.set(keyOf(session.id), JSON.stringify(session), {
    expiration: { type: 'EX', value: sessionOpenSeconds },
  })
  return session
}

function readPeriod(
  since: string,
  until: string,
  tail: boolean,
  now: Date,
): Pick<LogSession, 'sinceMs' | 'untilMs'> {
  const sinceMs = readMoment('Since', since, now)
  const untilMs = readMoment('Until', until, now)
  if (untilMs !== undefined && tail)
    throw invalidParams('Until and tail do not go together: a tail goes on with new lines.')
  if (sinceMs !== undefined && untilMs !== undefined && sinceMs >= untilMs)
    throw invalidParams('Since must be before until: there is no line between them.')
  return { sinceMs, untilMs }
}

function checkFilters({
  source,
  dyno,
  match,
  pattern,
}: Pick<SessionWish, 'source' | 'dyno' | 'match' | 'pattern'>): void {
  if (source.length > filterCharsMax || dyno.length > filterCharsMax)
    throw invalidParams(`Source and dyno may be ${filterCharsMax} characters long.`)
  if (match.length > matchCharsMax)
    throw invalidParams(`Match may be ${matchCharsMax} characters long.`)
  const problem = patternProblem(pattern)
  if (problem) throw invalidParams(problem)
}

/** Finds sessions; one that was opened in time may be come back to until it ends or is revoked. */
export function sessionFinder(redis: Redis, now: () => number = Date.now): FindSession {
  const findRevocations = revocationFinder(redis)
  return async (id) => {
    const stored = await redis.getEx(keyOf(id), { type: 'EX', value: sessionOpenedSeconds })
    const session = stored === null ? undefined : readSession(String(stored))
    // Each coming back makes Redis keep it anew: when it ends is for the session itself to say.
    if (!session || now() >= session.endsAt.getTime()) return undefined
    const isRevoked = await findRevocations(session.appId)
    return isRevoked(session) ? undefined : session
  }
}

/** As JSON: times are text. */
type StoredSession = Record<Exclude<keyof LogSession, NewerField>, string> &
  Partial<Pick<LogSession, NewerField>>
type NewerField = 'match' | 'pattern' | 'sinceMs' | 'untilMs'

function readSession(text: string): LogSession | undefined {
  const stored = JSON.parse(text) as StoredSession
  const id = parseId<SessionId>(stored.id)
  const appId = parseId<AppId>(stored.appId)
  const accountId = parseId<AccountId>(stored.accountId)
  // Of nobody's session nobody could say that it is void.
  if (!accountId) return undefined
  if (!id || !appId) throw new Error('a stored log session has no ids')
  return {
    id,
    appId,
    accountId,
    lines: Number(stored.lines),
    tail: Boolean(stored.tail),
    source: stored.source,
    dyno: stored.dyno,
    // Sessions of an older version, which are open for an hour, have none of these.
    match: stored.match ?? '',
    pattern: stored.pattern ?? '',
    sinceMs: stored.sinceMs,
    untilMs: stored.untilMs,
    createdAt: new Date(stored.createdAt),
    endsAt: new Date(stored.endsAt),
  }
}
