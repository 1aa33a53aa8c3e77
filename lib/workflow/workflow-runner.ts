import { EventEmitter, once } from 'node:events'
import { backoffMs } from '#lib/backoff.ts'
import { newId } from '#lib/ids.ts'
import type { Log } from '#lib/log.ts'
import { transaction, type Pool, type Transaction } from '#lib/postgres.ts'
import type { Outcome, StepInfo, Workflow } from '#lib/workflow/define-workflow.ts'
import {
  getWorkflow,
  insertWorkflow,
  leaseDue,
  renewLease,
  saveProgress,
  type Progress,
  type WorkflowRow,
} from '#lib/workflow/workflows-db.ts'

/** Other processes' wishes and due times are noticed within this time; own ones at once. */
const pollMs = 500
/** After a kill -9 another runner takes over when this has passed. */
const leaseSeconds = 10
const renewMs = 3_000
/** Steps that one process runs at a time; the rest wait in the table. */
const stepsInFlightMax = 16
const retryBackoff = { firstMs: 500, maxMs: 60_000 }

export type WorkflowRunner = {
  /** Something is due: look now. Call it after the commit of startWorkflow or raiseWish. */
  wake: () => void
  /** Waits until the workflow is done, at most that long; its result, or undefined when not yet. */
  waitFor: (workflowId: string, timeoutMs: number) => Promise<string | undefined>
  /** Takes nothing new and waits for the steps in flight. */
  stop: () => Promise<void>
}

/** Starts a workflow on a subject, in the transaction that makes the subject. */
export async function startWorkflow<Context>(
  tx: Transaction,
  workflow: Workflow<Context>,
  subjectId: string,
): Promise<string> {
  const id = newId()
  await insertWorkflow(tx, { id, kind: workflow.name, subjectId, step: workflow.first })
  return id
}

/**
 * Runs the workflows of a service: leases a due row, runs one step, commits the step's writes
 * together with the next step's name. Any number of processes may run it on the same table.
 */
export function startWorkflowRunner<Context>(options: {
  pool: Pool
  workflows: Workflow<Context>[]
  context: Context
  log: Log
}): WorkflowRunner {
  const { pool, context, log } = options
  const workflows = new Map(options.workflows.map((workflow) => [workflow.name, workflow]))
  const kinds = [...workflows.keys()]
  const progressed = new EventEmitter().setMaxListeners(0)
  const inFlight = new Set<Promise<void>>()
  let stopped = false
  let looking: Promise<void> | undefined
  let lookAgain = false

  const look = async (): Promise<void> => {
    do {
      lookAgain = false
      while (!stopped && inFlight.size < stepsInFlightMax) {
        const lease = newId()
        const row = await leaseDue(pool, { kinds, lease, leaseSeconds })
        if (!row) break
        const step = runLeased(row, lease).finally(() => {
          inFlight.delete(step)
          progressed.emit(row.id)
          wake()
        })
        inFlight.add(step)
      }
    } while (lookAgain && !stopped)
  }

  const wake = (): void => {
    lookAgain = true
    if (stopped || looking) return
    looking = look()
      .catch((error: unknown) => log.warn({ err: error }, 'workflows could not be read'))
      .finally(() => {
        looking = undefined
        if (lookAgain) wake()
      })
  }

  const runLeased = async (row: WorkflowRow, lease: string): Promise<void> => {
    const renewal = setInterval(() => {
      // A renewal that fails is noticed when the progress is saved.
      renewLease(pool, { id: row.id, lease, leaseSeconds }).catch(() => undefined)
    }, renewMs)
    try {
      await runStep(row, lease)
    } catch (error) {
      // Not saved: the lease runs out and the step runs again, as after a crash.
      log.error({ err: error, workflow: row.kind, subject: row.subjectId }, 'step was not saved')
    } finally {
      clearInterval(renewal)
    }
  }

  const runStep = async (row: WorkflowRow, lease: string): Promise<void> => {
    const where = { workflow: row.kind, subject: row.subjectId, step: row.step }
    const info: StepInfo = {
      workflowId: row.id,
      subjectId: row.subjectId,
      tries: row.tries,
      lastError: row.lastError,
      wishes: new Set(row.wishes),
      deadlinePassed: row.deadline !== null && row.deadline.getTime() < Date.now(),
    }
    if (info.deadlinePassed)
      log.error({ ...where, alert: true }, 'workflow step is past its deadline')
    const step = workflows.get(row.kind)?.steps[row.step]
    if (!step) throw new Error(`workflow ${row.kind} has no step ${row.step}`)
    let outcome: Outcome<string>
    try {
      outcome = await step(context, info)
    } catch (error) {
      log.warn({ err: error, ...where, tries: row.tries + 1 }, 'step failed, trying again')
      const failed = failedProgress(row, lease, error)
      await transaction(pool, async (tx) => void (await saveProgress(tx, failed)))
      return
    }
    await transaction(pool, async (tx) => {
      // First the row, whose lock is the fence, then the step's own writes.
      if (!(await saveProgress(tx, nextProgress(row, lease, outcome))))
        throw new Error('another runner has taken over')
      await outcome.write?.(tx)
    })
  }

  const waitFor = async (workflowId: string, timeoutMs: number): Promise<string | undefined> => {
    const end = Date.now() + timeoutMs
    for (;;) {
      const signal = AbortSignal.timeout(Math.min(pollMs, Math.max(end - Date.now(), 0)))
      const change = once(progressed, workflowId, { signal }).catch(() => undefined)
      const row = await getWorkflow(pool, workflowId)
      if (row?.result !== null && row?.result !== undefined) return row.result
      if (Date.now() >= end) return undefined
      await change
    }
  }

  const timer = setInterval(wake, pollMs)
  wake()
  return {
    wake,
    waitFor,
    stop: async () => {
      stopped = true
      clearInterval(timer)
      await looking
      await Promise.all(inFlight)
    },
  }
}

function failedProgress(row: WorkflowRow, lease: string, error: unknown): Progress {
  const tries = row.tries + 1
  return {
    id: row.id,
    lease,
    step: row.step,
    tries,
    lastError: error instanceof Error ? error.message : String(error),
    waitSeconds: backoffMs(tries, retryBackoff) / 1000,
    deadlineSeconds: 'keep',
    result: null,
    seenWishes: row.wishes,
  }
}

function nextProgress(row: WorkflowRow, lease: string, outcome: Outcome<string>): Progress {
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
    const deadlineSeconds = outcome.deadlineSeconds ?? 'none'
    return { ...base, step: outcome.go, waitSeconds: 0, deadlineSeconds }
  }
  return { ...base, step: row.step, waitSeconds: outcome.waitSeconds, deadlineSeconds: 'keep' }
}
