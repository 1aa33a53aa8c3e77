import { followPlanChange } from '#lib/provider/provider-workflows.ts'
import { defineWorkflow, type Workflow } from '#lib/workflow/define-workflow.ts'
import { lockInstance } from '../instances-db.ts'
import { instanceOf, type InstancesContext } from '../instances.ts'
import { fullTriesMax } from '../limits.ts'
import { holdToPlan } from '../live-plan.ts'
import { deprovisionInstance } from './deprovision.ts'
import { unlessRemoved } from './unless-removed.ts'

//   set-limits ──▶ changed ──▶ change-instance-plan, when another plan was wanted meanwhile
//       └─────────────┴──────▶ deprovision-instance, when its removal is wanted

/**
 * Holds an instance to the plan that the table has for it, and to what its customer set, while it
 * runs: see live-plan.ts.
 */
export const changeInstancePlan: Workflow<InstancesContext> = defineWorkflow<InstancesContext>()({
  name: 'change-instance-plan',
  first: 'set-limits',
  steps: {
    'set-limits': (context, { subjectId, tries }) =>
      unlessRemoved(context, subjectId, async (row) => {
        const mayRestart = tries >= fullTriesMax
        await holdToPlan(context.host, instanceOf(context, row), { mayRestart })
        return {
          done: 'changed',
          write: (tx) =>
            followPlanChange(tx, row, {
              lock: lockInstance,
              changePlan: changeInstancePlan,
              deprovision: deprovisionInstance,
            }),
        }
      }),
  },
})
