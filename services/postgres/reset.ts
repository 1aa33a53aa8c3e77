import { conflict } from '#lib/errors.ts'
import type { AddonId } from '#lib/ids.ts'
import { transaction, type Pool } from '#lib/postgres.ts'
import { waitUntilSettled } from '#lib/workflow/wait-until-settled.ts'
import { startWorkflow, type WorkflowRunner } from '#lib/workflow/workflow-runner.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
import { lockDatabase } from './databases-db.ts'
import { assertOneCredential, assertReady } from './databases.ts'
import { resetWaitMs } from './limits.ts'
import { resetDatabase } from './workflows/reset.ts'

/**
 * Starts to empty a ready database, or joins in the reset that runs already: since it began, nobody
 * could write anything.
 *
 * @returns false when it goes on.
 */
export async function emptyDatabase(
  { pool, runner }: { pool: Pool; runner: WorkflowRunner },
  addonId: AddonId,
): Promise<boolean> {
  await transaction(pool, async (tx) => {
    assertOneCredential(assertReady(await lockDatabase(tx, addonId)))
    const running = await getRunningWorkflow(tx, addonId)
    if (running?.kind === resetDatabase.name) return
    if (running) throw conflict('The database is just being changed. Try again in a moment.')
    await startWorkflow(tx, resetDatabase, addonId)
  })
  runner.wake()
  await waitUntilSettled({ pool, runner }, addonId, resetWaitMs)
  return (await getRunningWorkflow(pool, addonId)) === undefined
}
