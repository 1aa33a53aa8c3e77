import { backoffMs } from '#lib/backoff.ts'
import type { Log } from '#lib/log.ts'
import { transaction, type Pool } from '#lib/postgres.ts'
import {
  stepDeadlineSeconds,
  type Outcome,
  type StepInfo,
  type Workflow,
} from '#lib/workflow/define-workflow.ts'
import { saveProgress, type Progress, type WorkflowRow } from '#lib/workflow/workflows-db.ts'

const retryBackoff = { firstMs: 500, maxMs: 60_000 }

export type StepContext<Context> = {
  pool: Pool
  workflows: ReadonlyMap<string, Workflow<Context>>
  context: Context
  log: Log
}

/**
 * Runs the step at which a leased workflow stands, and commits the step's writes together with
 * where it led. A step that throws is saved as a failed try. Throws when nothing could be saved:
 * the lease then runs out and the step runs again, as after a crash.
 */
export async function runStep<Context>(
  { pool, workflows, context, log }: StepContext<Context>,
  row: WorkflowRow,
  lease: string,
): Promise<void> {
  const where = { workflow: row.kind, subject: row.subjectId, step: row.step }
  const info = stepInfo(row)
  if (info.deadlinePassed)
    log.error({ ...where, alert: true }, 'workflow step is past its deadline')
  const workflow = workflows.get(row.kind)
  const step = workflow?.steps[row.step]
  if (!workflow || !step) throw new Error(`workflow ${row.kind} has no step ${row.step}`)
  let outcome: Outcome<string>
  try {
    outcome = await step(context, info)
  } catch (error) {
    outcome = { failed: error }
  }
  if ('failed' in outcome)
    log.warn({ err: outcome.failed, ...where, tries: row.tries + 1 }, 'step failed, trying again')
  try {
    await save(pool, nextProgress(workflow, row, lease, outcome), outcome.write)
  } catch (error) {
    if (error instanceof LeaseLost) throw error
    // What cannot be written will not be written the next time either: it waits its turn.
    await save(pool, failedProgress(row, lease, { failed: error }))
    log.error({ err: error, ...where }, 'what a step led to could not be saved')
  }
}

/** Another runner has taken over: nothing of this one's may be written. */
class LeaseLost extends Error {
  override readonly name = 'LeaseLost'
}

function save(pool: Pool, progress: Progress, write?: Outcome<string>['write']): Promise<void> {
  return transaction(pool, async (tx) => {
    // First the row, whose lease is the fence, then the step's own writes.
    if (!(await saveProgress(tx, progress))) throw new LeaseLost('another runner has taken over')
    await write?.(tx)
  })
}

function stepInfo(row: WorkflowRow): StepInfo {
  return {
    workflowId: row.id,
    subjectId: row.subjectId,
    tries: row.tries,
    lastError: row.lastError,
    wishes: new Set(row.wishes),
    deadlinePassed: row.deadline !== null && row.deadline.getTime() < Date.now(),
  }
}

function failedProgress(
  row: WorkflowRow,
  lease: string,
  { failed: error, waitSeconds }: { failed: unknown; waitSeconds?: number },
): Progress {
  const tries = row.tries + 1
  return {
    id: row.id,
    lease,
    step: row.step,
    tries,
    lastError: textOf(error),
    waitSeconds: waitSeconds ?? backoffMs(tries, retryBackoff) / 1000,
    deadlineSeconds: 'keep',
    result: null,
    seenWishes: row.wishes,
  }
}

/** For the operator: what a customer is not to read is only in the cause. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.message || (error.cause === undefined ? '' : textOf(error.cause))
}

function nextProgress<Context>(
  workflow: Workflow<Context>,
  row: WorkflowRow,
  lease: string,
  outcome: Outcome<string>,
): Progress {
  if ('failed' in outcome) return failedProgress(row, lease, outcome)
  const base = { id: row.id, lease, tries: 0, lastError: '', result: null, seenWishes: row.wishes }
  if ('done' in outcome)
    return {
      ...base,
      step: row.step,
      waitSeconds: 0,
      deadlineSeconds: 'none',
      result: outcome.done,
    }
  if ('go' in outcome) {
    const deadlineSeconds = stepDeadlineSeconds(workflow, outcome.go)
    return { ...base, step: outcome.go, waitSeconds: 0, deadlineSeconds }
  }
  return {
    ...base,
    ...(outcome.keepTries && { tries: row.tries, lastError: row.lastError }),
    ...{ step: row.step, waitSeconds: outcome.waitSeconds, deadlineSeconds: 'keep' },
  }
}
