import { conflict } from '#lib/errors.ts'
import type { AddonId } from '#lib/ids.ts'
import { transaction, type Pool } from '#lib/postgres.ts'
import { waitUntilSettled } from '#lib/workflow/wait-until-settled.ts'
import { startWorkflow, type WorkflowRunner } from '#lib/workflow/workflow-runner.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
import { lockInstance, updateTuning } from './instances-db.ts'
import { assertReady } from './instances.ts'
import { configureWaitMs } from './limits.ts'
import { checkTuning, type Tuning } from './tuning.ts'
import { changeInstancePlan } from './workflows/change-plan.ts'

/**
 * Writes down how the instance is to behave from now on, and holds it to that as to its plan: while
 * it runs, and in the file that it is started with. What is not named stays.
 *
 * @returns all that is set now. It may take a moment longer until it holds.
 */
export async function configureInstance(
  { pool, runner }: { pool: Pool; runner: WorkflowRunner },
  addonId: AddonId,
  change: Partial<Tuning>,
): Promise<Tuning> {
  checkTuning(change)
  const tuning = await transaction(pool, async (tx) => {
    const row = assertReady(await lockInstance(tx, addonId))
    // What moves it now may have read the row already.
    if (await getRunningWorkflow(tx, addonId))
      throw conflict('The instance is just being changed. Try again in a moment.')
    const { maxmemoryPolicy, timeoutSeconds, notifyKeyspaceEvents } = { ...row, ...change }
    const next = { maxmemoryPolicy, timeoutSeconds, notifyKeyspaceEvents }
    await updateTuning(tx, addonId, next)
    await startWorkflow(tx, changeInstancePlan, addonId)
    return next
  })
  runner.wake()
  await waitUntilSettled({ pool, runner }, addonId, configureWaitMs)
  return tuning
}
