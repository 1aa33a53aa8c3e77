import { must } from '#lib/assert.ts'
import type { AddonId } from '#lib/ids.ts'
import type { Outcome } from '#lib/workflow/define-workflow.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { findInstance, withInstanceLock, type InstanceRow } from '../instances-db.ts'
import type { InstancesContext } from '../instances.ts'
import { deprovisionInstance } from './deprovision.ts'

/**
 * Runs a step's work under the instance's lock, with the row as it is then: a runner that was
 * halted until somebody else had removed the instance must not start it again.
 */
export async function unlessRemoved<Step extends string>(
  { pool, locks }: InstancesContext,
  subjectId: string,
  work: (row: InstanceRow) => Promise<Outcome<Step>>,
): Promise<Outcome<Step>> {
  const addonId = subjectId as AddonId
  return withInstanceLock(locks, addonId, async () => {
    const row = must(await findInstance(pool, addonId), `instance ${addonId}`)
    if (!row.removalWanted) return work(row)
    return {
      done: 'removal wanted',
      write: async (tx) => {
        await startWorkflow(tx, deprovisionInstance, addonId)
      },
    }
  })
}
