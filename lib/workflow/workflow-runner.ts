import { EventEmitter, once } from 'node:events'
import { newId } from '#lib/ids.ts'
import type { Log } from '#lib/log.ts'
import { startPeriodic } from '#lib/periodic.ts'
import type { Pool, Transaction } from '#lib/postgres.ts'
import { stepDeadlineSeconds, type Workflow } from '#lib/workflow/define-workflow.ts'
import { runStep, type StepContext } from '#lib/workflow/run-step.ts'
import {
  deleteDone,
  getWorkflow,
  insertWorkflow,
  leaseDue,
  renewLease,
  type WorkflowRow,
} from '#lib/workflow/workflows-db.ts'

/** Other processes' wishes and due times are noticed within this time; own ones at once. */
const pollMs = 500
/**
 * After a kill -9 another runner takes over when this has passed, unless the service says otherwise.
 * A process whose database is away for longer may find that a step runs twice.
 */
const leaseSecondsDefault = 10
/** Renewed so often within a lease that one or two renewals may fail. */
const renewalsPerLease = 3.3
/** Steps that one process runs at a time unless it says otherwise; the rest wait in the table. */
const stepsInFlightDefault = 16
/** What is done is kept that long, to be looked at. */
const keepDoneDays = 30
const deleteDoneMs = 10 * 60_000

export type WorkflowRunner = {
  /** Something is due: look now. Call it after the commit of startWorkflow or raiseWish. */
  wake: () => void
  /**
   * Waits until the workflow is done, at most that long and not after endWaits; its result, or
   * undefined when not yet. `enough` ends the waiting earlier; it is asked after each step.
   */
  waitFor: (
    workflowId: string,
    timeoutMs: number,
    enough?: () => Promise<boolean>,
  ) => Promise<string | undefined>
  /**
   * Ends every waitFor, and each later one at once. To be called before the requests in flight are
   * waited for: they then answer how far the work has come, which goes on by itself.
   */
  endWaits: () => void
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
  const { name: kind, first: step } = workflow
  const deadlineSeconds = stepDeadlineSeconds(workflow, step)
  await insertWorkflow(tx, { id, kind, subjectId, step, deadlineSeconds })
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
  stepsInFlightMax?: number
  leaseSeconds?: number
  log: Log
}): WorkflowRunner {
  const { pool, log, stepsInFlightMax = stepsInFlightDefault } = options
  const { leaseSeconds = leaseSecondsDefault } = options
  const workflows = new Map(options.workflows.map((workflow) => [workflow.name, workflow]))
  const kinds = [...workflows.keys()]
  const steps = { ...options, workflows, leaseSeconds }
  const progressed = new EventEmitter().setMaxListeners(0)
  const inFlight = new Map<string, Promise<void>>()
  let stopped = false
  let waitsEnded = false
  let looking: Promise<void> | undefined
  let lookAgain = false

  const look = async (): Promise<void> => {
    do {
      lookAgain = false
      while (!stopped && inFlight.size < stepsInFlightMax) {
        const lease = newId()
        // A lease may run out while the database is away; the step is here all the same.
        const except = [...inFlight.keys()]
        const row = await leaseDue(pool, { kinds, lease, leaseSeconds, except })
        if (!row) break
        const step = runLeased(steps, row, lease).finally(() => {
          inFlight.delete(row.id)
          progressed.emit(row.id)
          wake()
        })
        inFlight.set(row.id, step)
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
        if (lookAgain && !stopped) wake()
      })
  }

  const timer = setInterval(wake, pollMs)
  const stopDeleting = startDeleting(pool, log)
  wake()
  return {
    wake,
    waitFor: (workflowId, timeoutMs, enough) =>
      waitForResult({ pool, progressed, isOver: () => waitsEnded, enough }, workflowId, timeoutMs),
    endWaits: () => {
      waitsEnded = true
      // once() listens for "error" beside what it waits for.
      for (const name of progressed.eventNames()) if (name !== 'error') progressed.emit(name)
    },
    stop: async () => {
      stopped = true
      clearInterval(timer)
      await stopDeleting()
      await looking
      await Promise.all(inFlight.values())
    },
  }
}

function startDeleting(pool: Pool, log: Log): () => Promise<void> {
  return startPeriodic({
    what: 'delete done workflows',
    everyMs: deleteDoneMs,
    work: () => deleteDone(pool, { olderThanDays: keepDoneDays }),
    log,
  })
}

/** Runs one step while its lease is renewed. Never throws: what was not saved will run again. */
async function runLeased<Context>(
  steps: StepContext<Context> & { leaseSeconds: number },
  row: WorkflowRow,
  lease: string,
): Promise<void> {
  const { pool, log, leaseSeconds } = steps
  const where = { workflow: row.kind, subject: row.subjectId, step: row.step }
  const renewal = setInterval(
    () => {
      renewLease(pool, { id: row.id, lease, leaseSeconds }).catch((error: unknown) =>
        log.warn({ err: error, ...where }, 'lease could not be renewed'),
      )
    },
    (leaseSeconds * 1000) / renewalsPerLease,
  )
  try {
    await runStep(steps, row, lease)
  } catch (error) {
    log.error({ err: error, ...where }, 'step was not saved and will run again')
  } finally {
    clearInterval(renewal)
  }
}

async function waitForResult(
  waiting: {
    pool: Pool
    progressed: EventEmitter
    isOver: () => boolean
    enough: (() => Promise<boolean>) | undefined
  },
  workflowId: string,
  timeoutMs: number,
): Promise<string | undefined> {
  const { pool, progressed, isOver, enough } = waiting
  const end = Date.now() + timeoutMs
  for (;;) {
    // Listening starts before reading, so that no step's end falls between the two.
    const signal = AbortSignal.timeout(Math.min(pollMs, Math.max(end - Date.now(), 0)))
    const change = once(progressed, workflowId, { signal }).catch(() => undefined)
    const row = await getWorkflow(pool, workflowId)
    if (row && row.result !== null) return row.result
    if (isOver() || Date.now() >= end || (await enough?.())) return undefined
    await change
  }
}
