import type { Transaction } from '#lib/postgres.ts'
import { startWished } from '#lib/provider/provider-workflows.ts'
import { defineWorkflow, type Workflow } from '#lib/workflow/define-workflow.ts'
import { lockDatabase, type DatabaseRow } from '../databases-db.ts'
import { planOf, rolesOf, type DatabasesContext } from '../databases.ts'
import { setTempFileLimit } from '../server-admin.ts'
import { holdToSize } from '../size-check.ts'
import { deprovisionDatabase } from './deprovision.ts'
import { unlessRemoved } from './unless-removed.ts'

//   set-limits ──▶ changed ──▶ change-database-plan, when another plan was wanted meanwhile
//       └─────────────┴──────▶ deprovision-database, when its removal is wanted

/**
 * Holds a database and its roles to the plan that the table has for it. Open sessions stay, also
 * beyond a smaller plan's number: only those of a database whose size was over the plan before, and
 * began read-only, are ended, so that they write again at once.
 */
export const changeDatabasePlan: Workflow<DatabasesContext> = defineWorkflow<DatabasesContext>()({
  name: 'change-database-plan',
  first: 'set-limits',
  steps: {
    'set-limits': (context, { subjectId }) =>
      unlessRemoved(context, subjectId, async (session, row) => {
        const plan = planOf(context.plans, row)
        for (const name of rolesOf(row))
          await setTempFileLimit(context.server, session, { name, plan })
        await holdToSize(context, session, row)
        return { done: 'changed', write: (tx) => followWishes(tx, row) }
      }),
  },
})

/** To be committed with the end of whatever moved a database, as it read it: see startWished. */
export function followWishes(tx: Transaction, row: DatabaseRow): Promise<void> {
  return startWished(tx, row, {
    lock: lockDatabase,
    changePlan: changeDatabasePlan,
    deprovision: deprovisionDatabase,
  })
}
