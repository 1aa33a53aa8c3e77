import { newId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import type { Pool } from '#lib/postgres.ts'
import type { Workflow } from '#lib/workflow/define-workflow.ts'
import { runStep } from '#lib/workflow/run-step.ts'
import { getWorkflow, leaseDue } from '#lib/workflow/workflows-db.ts'

const stepsMax = 100

/**
 * Drives workflows by hand, one step at a time and without a runner, for the two standard tests
 * of every workflow: each step run twice, and a crash after each step's effect. Its pool must be
 * of a schema where no service runs the same workflows.
 */
export function driveWorkflows<Context>(options: {
  pool: Pool
  workflows: Workflow<Context>[]
  context: Context
}) {
  const workflows = new Map(options.workflows.map((workflow) => [workflow.name, workflow]))
  const kinds = [...workflows.keys()]
  const { pool, context } = options
  const stepContext = { pool, context, workflows, log: silentLog }

  const lease = async (id: string) => {
    const token = newId()
    // Due now, whatever back-off or wait it is in, and free, as after the lease of a dead runner.
    // The others wait, so that a test can drive several in the order that it wants.
    await pool.query(
      `update workflows set lease = null, leased_until = null,
         run_at = case when id = $1 then now() else now() + interval '1 hour' end
       where result is null`,
      [id],
    )
    const row = await leaseDue(pool, { kinds, lease: token, leaseSeconds: 60 })
    if (row && row.id !== id) throw new Error(`workflow ${row.kind} of another test is due`)
    return row && { row, token }
  }

  return {
    /** Runs the step's effect and forgets its outcome: a process killed just before the commit. */
    async crashDuringStep(id: string): Promise<string | undefined> {
      const leased = await lease(id)
      if (!leased) return undefined
      const { row } = leased
      const effect = workflows.get(row.kind)?.steps[row.step]?.(context, {
        workflowId: row.id,
        subjectId: row.subjectId,
        tries: row.tries,
        lastError: row.lastError,
        wishes: new Set(row.wishes),
        deadlinePassed: false,
      })
      // One that throws commits nothing either; what it meant to do, the next run has to show.
      await effect?.catch(() => undefined)
      return row.step
    },

    /**
     * Runs one step and saves it. Answers the step's name, or undefined when it was done before.
     */
    async step(id: string): Promise<string | undefined> {
      const leased = await lease(id)
      if (!leased) return undefined
      await runStep(stepContext, leased.row, leased.token)
      return leased.row.step
    },

    /** Runs to the end; with `twice`, each step's effect happens twice. Answers the result. */
    async finish(id: string, { twice = false } = {}): Promise<string> {
      for (let steps = 0; steps < stepsMax; steps++) {
        if (twice) await this.crashDuringStep(id)
        await this.step(id)
        const row = await getWorkflow(pool, id)
        if (row && row.result !== null) return row.result
      }
      throw new Error(`workflow ${id} did not end within ${stepsMax} steps`)
    },
  }
}
