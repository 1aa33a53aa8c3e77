import type { Transaction } from '#lib/postgres.ts'

/**
 * What a step ends with. Its own writes go into `write`: they are committed together with where
 * the workflow goes, so that a crash leaves both or neither.
 */
export type Outcome<Step extends string> = {
  write?: (tx: Transaction) => Promise<void>
} & (
  | { go: Step } // on to that step, at once
  // This step again, then or when woken. With `keepTries` what has failed before goes on to count.
  | { waitSeconds: number; keepTries?: boolean }
  // As if it had thrown, for a step that has something to write, or a back-off of its own.
  | { failed: unknown; waitSeconds?: number }
  | { done: string } // the end, with its result
)

/** What a step is told besides the service's own context. */
export type StepInfo = {
  workflowId: string
  subjectId: string
  /** Failed runs of this step so far. */
  tries: number
  lastError: string
  /** Raised from outside since the start, "destroy" for example. */
  wishes: ReadonlySet<string>
  /** The step has taken longer than its deadline allows; it was reported and goes on. */
  deadlinePassed: boolean
}

/** Outlasts a restart of whatever a step calls, and is short enough to be told while it matters. */
const defaultDeadlineSeconds = 15 * 60

export type Workflow<Context> = {
  readonly name: string
  readonly first: string
  readonly deadlineSeconds?: Readonly<Partial<Record<string, number>>>
  readonly steps: Readonly<
    Record<string, (context: Context, info: StepInfo) => Promise<Outcome<string>>>
  >
}

/**
 * A workflow: named steps, each idempotent (it may run again after a crash), each ending in
 * go / wait / done. A misspelled step name does not compile. A step that throws is run again with
 * a growing back-off; it is never given up silently.
 */
export function defineWorkflow<Context>() {
  return <Step extends string>(definition: {
    name: string
    first: NoInfer<Step>
    /**
     * Of steps that wait on purpose; any other one that has not ended by stepDeadlineSeconds is
     * late.
     */
    deadlineSeconds?: Partial<Record<NoInfer<Step>, number>>
    steps: Record<Step, (context: Context, info: StepInfo) => Promise<Outcome<NoInfer<Step>>>>
  }): Workflow<Context> => definition
}

/**
 * How long a step may take, its tries and waits included, before somebody has to look: in seconds.
 */
export function stepDeadlineSeconds<Context>(workflow: Workflow<Context>, step: string): number {
  return workflow.deadlineSeconds?.[step] ?? defaultDeadlineSeconds
}
