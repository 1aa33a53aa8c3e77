import { invalidParams } from '#lib/errors.ts'
import { newId, parseId, type AppId, type SessionId } from '#lib/ids.ts'
import type { Redis } from '#lib/redis.ts'
import { logLinesMin, sessionOpenedSeconds, sessionOpenSeconds } from '../limits.ts'
import type { FindSession, LogSession } from '../log-session.ts'

const keyOf = (id: SessionId): string => `plexus:session:${id}`

export type SessionWish = Omit<LogSession, 'id' | 'createdAt'>

/**
 * Makes a session that is to be opened within five minutes. Its id is random and is the only
 * credential for it.
 */
export async function createSession(redis: Redis, wish: SessionWish): Promise<LogSession> {
  for (const filter of [wish.source, wish.dyno])
    if (filter.length > 128) throw invalidParams('Source and dyno may be 128 characters long.')
  const session: LogSession = {
    ...wish,
    lines: Math.min(wish.lines, logLinesMin),
    id: newId<SessionId>(),
    createdAt: new Date(),
  }
  await redis.set(keyOf(session.id), JSON.stringify(session), {
    expiration: { type: 'EX', value: sessionOpenSeconds },
  })
  return session
}

/** Finds sessions; one that is found may be come back to for an hour. */
export function sessionFinder(redis: Redis): FindSession {
  return async (id) => {
    const stored = await redis.getEx(keyOf(id), { type: 'EX', value: sessionOpenedSeconds })
    return stored === null ? undefined : readSession(String(stored))
  }
}

function readSession(text: string): LogSession {
  const stored = JSON.parse(text) as Record<keyof LogSession, string>
  const id = parseId<SessionId>(stored.id)
  const appId = parseId<AppId>(stored.appId)
  if (!id || !appId) throw new Error('a stored log session has no ids')
  return {
    id,
    appId,
    lines: Number(stored.lines),
    tail: Boolean(stored.tail),
    source: stored.source,
    dyno: stored.dyno,
    createdAt: new Date(stored.createdAt),
  }
}
