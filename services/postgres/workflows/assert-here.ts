import type { StepInfo } from '#lib/workflow/define-workflow.ts'
import { getWorkflow } from '#lib/workflow/workflows-db.ts'
import type { DatabasesContext } from '../databases.ts'

/**
 * To be asked under the lock of what the step works on: throws unless the workflow still stands at
 * the step. A runner that was halted until others had come to the end must not do its work once
 * more. While the lock is held nobody gets past the step.
 */
export async function assertHere(
  { pool }: Pick<DatabasesContext, 'pool'>,
  { workflowId }: Pick<StepInfo, 'workflowId'>,
  step: string,
): Promise<void> {
  const now = await getWorkflow(pool, workflowId)
  if (now?.step !== step || now.result !== null) throw new Error('another runner has taken over')
}
