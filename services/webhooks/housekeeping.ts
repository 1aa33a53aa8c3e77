import { startPeriodic } from '#lib/periodic.ts'
import type { Pool } from '#lib/postgres.ts'
import type { WebhooksContext } from './context.ts'
import { deleteOldEvents } from './events-db.ts'
import {
  deletedAtATime,
  deleteOldEveryMs,
  eventsPerTopicMax,
  keepEventsDays,
  reconcileEveryMs,
} from './limits.ts'
import { reconcileTopics } from './reconcile-topics.ts'
import { deleteEndedTopics } from './topics-db.ts'

/**
 * Starts what this service does without being asked, in every one of its processes.
 *
 * @returns a function that starts nothing new and waits for what is running.
 */
export function startHousekeeping(context: WebhooksContext): () => Promise<void> {
  const { log, pool } = context
  const stops = [
    startPeriodic({
      what: 'reconcile topics',
      everyMs: reconcileEveryMs,
      work: () => reconcileTopics(context),
      log,
    }),
    startPeriodic({
      what: 'delete old history',
      everyMs: deleteOldEveryMs,
      work: () => deleteOld(pool),
      log,
    }),
  ]
  return async () => {
    await Promise.all(stops.map((stop) => stop()))
  }
}

/**
 * Deletes what history may not keep, and all of apps and add-ons of which nothing waits any more.
 */
export async function deleteOld(pool: Pool): Promise<void> {
  await deleteEndedTopics(pool)
  const limits = { olderThanDays: keepEventsDays, perTopicMax: eventsPerTopicMax }
  let deleted: number
  do deleted = await deleteOldEvents(pool, { ...limits, limit: deletedAtATime })
  while (deleted === deletedAtATime)
}
