import { startPeriodic } from '#lib/periodic.ts'
import type { BrokerContext } from './context.ts'
import { deleteGone } from './delete-gone.ts'
import { deleteGoneEveryMs, reconcileEveryMs } from './limits.ts'
import { reconcileByItself } from './reconcile/reconcile-addons.ts'

/**
 * Starts what the broker does without being asked, in every one of its processes.
 *
 * @returns a function that starts nothing new and waits for what is running.
 */
export function startHousekeeping(context: BrokerContext): () => Promise<void> {
  const { log, pool } = context
  const stops = [
    startPeriodic({
      what: 'reconcile add-ons',
      everyMs: reconcileEveryMs,
      work: () => reconcileByItself(context),
      log,
    }),
    startPeriodic({
      what: 'delete what is gone',
      everyMs: deleteGoneEveryMs,
      work: () => deleteGone(pool),
      log,
    }),
  ]
  return async () => {
    await Promise.all(stops.map((stop) => stop()))
  }
}
