import { defineWorkflow } from '#lib/workflow/define-workflow.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { ensureRunning } from '../instance-process.ts'
import { allotPort, markReady, releasePorts } from '../instances-db.ts'
import { instanceOf, type InstancesContext } from '../instances.ts'
import { chooseFreePort } from '../ports.ts'
import { allotTlsPort } from '../tls-upkeep.ts'
import { deprovisionInstance } from './deprovision.ts'
import { unlessRemoved } from './unless-removed.ts'

//   allot-port ──▶ start-process ──▶ ready
//      │  ▲             │ │
//      │  └─ port taken ┘ │
//      └──────────────────┴──▶ deprovision-instance, when its removal is wanted

/** Starts the instance that a row of the table describes; one that runs is kept. */
export const provisionInstance = defineWorkflow<InstancesContext>()({
  name: 'provision-instance',
  first: 'allot-port',
  steps: {
    'allot-port': (context, { subjectId }) =>
      unlessRemoved(context, subjectId, async ({ addonId }) => {
        const choose = (taken: ReadonlySet<number>) => chooseFreePort(context.ports, taken)
        await allotPort(context.pool, addonId, 'port', choose)
        await allotTlsPort(context, addonId)
        return { go: 'start-process' }
      }),
    'start-process': (context, { subjectId }) =>
      unlessRemoved(context, subjectId, async (row) => {
        const { addonId } = row
        if (row.port === null) return { go: 'allot-port' }
        if ((await ensureRunning(context.host, instanceOf(context, row))) === 'port-taken') {
          await releasePorts(context.pool, addonId)
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
