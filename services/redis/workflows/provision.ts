import { must } from '#lib/assert.ts'
import type { AddonId } from '#lib/ids.ts'
import { defineWorkflow, type Outcome } from '#lib/workflow/define-workflow.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { ensureRunning } from '../instance-process.ts'
import {
  allotPort,
  findInstance,
  markReady,
  releasePort,
  withInstanceLock,
  type InstanceRow,
} from '../instances-db.ts'
import { instanceOf, type InstancesContext } from '../instances.ts'
import { chooseFreePort } from '../ports.ts'
import { deprovisionInstance } from './deprovision.ts'

//   allot-port ──▶ start-process ──▶ ready
//      │  ▲             │ │
//      │  └─ port taken ┘ │
//      └──────────────────┴──▶ deprovision-instance, when its removal is wanted

type Step = 'allot-port' | 'start-process'

/** Starts the instance that a row of the table describes; one that runs is kept. */
export const provisionInstance = defineWorkflow<InstancesContext>()({
  name: 'provision-instance',
  first: 'allot-port',
  steps: {
    'allot-port': (context, { subjectId }) =>
      unlessRemoved(context, subjectId, async ({ addonId }) => {
        await allotPort(context.pool, addonId, (taken) => chooseFreePort(context.ports, taken))
        return { go: 'start-process' }
      }),
    'start-process': (context, { subjectId }) =>
      unlessRemoved(context, subjectId, async (row) => {
        const { addonId } = row
        if (row.port === null) return { go: 'allot-port' }
        if ((await ensureRunning(context.host, instanceOf(context, row))) === 'port-taken') {
          await releasePort(context.pool, addonId)
          return { go: 'allot-port' }
        }
        return {
          done: 'ready',
          write: async (tx) => {
            // The wish may have come since the row was read.
            if (!(await markReady(tx, addonId)))
              await startWorkflow(tx, deprovisionInstance, addonId)
          },
        }
      }),
  },
})

/**
 * Runs a step's work under the instance's lock, with the row as it is then: a runner that was
 * halted until somebody else had removed the instance must not start it again.
 */
async function unlessRemoved(
  { pool, locks }: InstancesContext,
  subjectId: string,
  work: (row: InstanceRow) => Promise<Outcome<Step>>,
): Promise<Outcome<Step>> {
  const addonId = subjectId as AddonId
  return withInstanceLock(locks, addonId, async () => {
    const row = must(await findInstance(pool, addonId), `instance ${addonId}`)
    if (!row.removalWanted) return work(row)
    return {
      done: 'removal wanted',
      write: async (tx) => {
        await startWorkflow(tx, deprovisionInstance, addonId)
      },
    }
  })
}
