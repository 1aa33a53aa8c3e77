import { startWished } from '#lib/provider/provider-workflows.ts'
import { defineWorkflow, type Workflow } from '#lib/workflow/define-workflow.ts'
import {
  lockInstance,
  markConnectionsEnded,
  markRotated,
  type InstanceRow,
} from '../instances-db.ts'
import { instanceOf, type InstancesContext } from '../instances.ts'
import { fullTriesMax } from '../limits.ts'
import { endConnections, holdToPlan } from '../live-plan.ts'
import { deprovisionInstance } from './deprovision.ts'
import { unlessRemoved } from './unless-removed.ts'

//   set-limits ──▶ changed ──▶ change-instance-plan, when another plan was wanted meanwhile
//       └─────────────┴──────▶ deprovision-instance, when its removal is wanted

/**
 * Holds an instance to the plan and the passwords that the table has for it, and to what its
 * customer set, while it runs: see live-plan.ts. Connections end that began with a password which
 * has been revoked.
 */
export const changeInstancePlan: Workflow<InstancesContext> = defineWorkflow<InstancesContext>()({
  name: 'change-instance-plan',
  first: 'set-limits',
  steps: {
    'set-limits': (context, { subjectId, tries }) =>
      unlessRemoved(context, subjectId, async (row) => {
        const instance = instanceOf(context, row)
        const mayRestart = tries >= fullTriesMax
        await holdToPlan(context.host, instance, { mayRestart })
        const heldAt = new Date()
        if (row.connectionsToEnd) await endConnections(instance, connectionsToEnd(row))
        return {
          done: 'changed',
          write: async (tx) => {
            await markRotated(tx, row.addonId, heldAt)
            await markConnectionsEnded(tx, row.addonId)
            await startWished(tx, row, {
              lock: lockInstance,
              changePlan: changeInstancePlan,
              deprovision: deprovisionInstance,
            })
          },
        }
      }),
  },
})

function connectionsToEnd({ connectionsToEnd: which, rotatedAt }: InstanceRow) {
  if (which === 'every' || rotatedAt === null) return 'every'
  return { beforeMs: rotatedAt.getTime() }
}
