import type { AccountId, AppId } from '#lib/ids.ts'
import { sessionOpenedSeconds, sessionOpenSeconds } from '../limits.ts'
import type { FindRevocations } from '../log-session.ts'
import type { Redis } from '../redis.ts'

/**
 * A sorted set of the app: accounts, each with the time in ms up to which its sessions are void.
 */
const keyOf = (appId: AppId): string => `plexus:revoked:{${appId}}`
/** Stands for all accounts, at all times: the app is gone, and its id never comes back. */
const everyone = '*'

/**
 * Ends the sessions that the account made for the app until `at`, by the clock of who removed it.
 * Those that it makes later, having been added again, are good. Idempotent.
 */
export async function revokeSessions(
  redis: Redis,
  { appId, accountId }: { appId: AppId; accountId: AccountId },
  at: Date,
): Promise<void> {
  await mark(redis, appId, accountId, at)
}

/** Ends all sessions of a destroyed app. Idempotent. */
export async function revokeAllSessions(redis: Redis, appId: AppId): Promise<void> {
  await mark(redis, appId, everyone, new Date())
}

async function mark(redis: Redis, appId: AppId, who: string, at: Date): Promise<void> {
  const key = keyOf(appId)
  await redis
    .multi()
    // A removal that is told again after a later one does not take that one back.
    .zAdd(key, { score: at.getTime(), value: who }, { comparison: 'GT' })
    // No session that the mark is about lives longer.
    .expire(key, sessionOpenSeconds + sessionOpenedSeconds)
    .exec()
}

export function revocationFinder(redis: Redis): FindRevocations {
  return async (appId) => {
    const marks = await redis.zRangeWithScores(keyOf(appId), 0, -1)
    const until = new Map(marks.map(({ value, score }) => [String(value), score]))
    return ({ accountId, createdAt }) =>
      until.has(everyone) || createdAt.getTime() <= (until.get(accountId) ?? -Infinity)
  }
}
