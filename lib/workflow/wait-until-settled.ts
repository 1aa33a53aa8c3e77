import type { Pool } from '#lib/postgres.ts'
import type { WorkflowRunner } from '#lib/workflow/workflow-runner.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'

/**
 * Waits until no workflow moves the subject any more, at most that long, and less when the process
 * is about to stop: read the subject afterwards to see how far it has come.
 */
export async function waitUntilSettled(
  { pool, runner }: { pool: Pool; runner: Pick<WorkflowRunner, 'waitFor'> },
  subjectId: string,
  waitMs: number,
): Promise<void> {
  const end = Date.now() + waitMs
  for (;;) {
    const running = await getRunningWorkflow(pool, subjectId)
    const left = end - Date.now()
    if (!running || left <= 0) return
    // Without a result there is no time left, for the caller or for the process.
    if ((await runner.waitFor(running.id, left)) === undefined) return
  }
}
