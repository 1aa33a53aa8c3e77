import type { Transaction } from '#lib/postgres.ts'
import type { Outcome } from '#lib/workflow/define-workflow.ts'
import type { AddonRow } from '../addons-db.ts'
import type { StepContext } from '../context.ts'
import { providerPollSecondsMin, removalAskSeconds } from '../limits.ts'
import { planOf } from '../plans.ts'
import type { Provider, Removal } from '../providers/provider.ts'
import { askAgain, waitSecondsFor } from './ask-provider.ts'

/**
 * Asks the add-on's provider to remove something of it. Whatever it answers but "gone", it is asked
 * again: nothing may be left behind.
 *
 * @param tries failed calls so far
 * @param saveOperation for what is being removed
 * @returns undefined when it is gone; until then what the step ends with
 */
export async function askRemoval(
  { pool, findProvider }: StepContext,
  addon: AddonRow,
  tries: number,
  remove: (provider: Provider) => Promise<Removal>,
  saveOperation: (tx: Transaction, operation: string | null) => Promise<void>,
): Promise<Outcome<never> | undefined> {
  const { service } = await planOf(pool, addon)
  const provider = findProvider(service)
  const failed = (error: unknown, more?: (tx: Transaction) => Promise<void>): Outcome<never> => {
    const again = askAgain(addon, service, provider.retry, tries, error)
    return {
      ...again,
      write: async (tx) => {
        await more?.(tx)
        // A live add-on, of which one attachment is being detached, has a message of its own.
        if (addon.state === 'deprovisioning') await again.write(tx)
      },
    }
  }
  try {
    const removal = await remove(provider)
    if (removal.state === 'gone') return undefined
    if (removal.state === 'accepted') return { waitSeconds: removalAskSeconds }
    if (removal.state === 'failed') return failed(removal.reason, (tx) => saveOperation(tx, null))
    return {
      waitSeconds: waitSecondsFor(removal, providerPollSecondsMin),
      // What fails each time it is begun anew is to be begun rarer and rarer.
      keepTries: removal.pending !== undefined,
      write: (tx) => saveOperation(tx, removal.pending?.operation ?? null),
    }
  } catch (error) {
    return failed(error)
  }
}
