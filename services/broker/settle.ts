import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
import type { BrokerContext } from './context.ts'
import { waitMsMax } from './limits.ts'

/** Waits until no workflow moves the subject any more, at most that long. */
export async function waitUntilSettled(
  { pool, runner }: BrokerContext,
  subjectId: string,
  waitMs: number,
): Promise<void> {
  const end = Date.now() + Math.min(waitMs, waitMsMax)
  for (;;) {
    const running = await getRunningWorkflow(pool, subjectId)
    const left = end - Date.now()
    if (!running || left <= 0) return
    await runner.waitFor(running.id, left)
  }
}
