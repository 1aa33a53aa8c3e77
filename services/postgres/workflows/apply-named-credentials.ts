import { defineWorkflow } from '#lib/workflow/define-workflow.ts'
import type { DatabasesContext } from '../databases.ts'
import { listNamedCredentials, settleNamedCredentials } from '../named-credentials-db.ts'
import { namedRoleOf } from '../named-credentials.ts'
import { dropNamedRole, ensureNamedRole } from '../named-roles-db.ts'
import { holdToSize } from '../size-check.ts'
import { followWishes } from './change-plan.ts'
import { unlessRemoved } from './unless-removed.ts'

//   apply ──▶ applied ──▶ change-database-plan, when another plan was wanted meanwhile
//     └──────────┴──────▶ deprovision-database, when its removal is wanted

/** Makes and drops the roles of a database's named credentials, as the table says. */
export const applyNamedCredentials = defineWorkflow<DatabasesContext>()({
  name: 'apply-named-credentials',
  first: 'apply',
  steps: {
    apply: (context, { subjectId }) =>
      unlessRemoved(context, subjectId, async (session, row) => {
        for (const credential of await listNamedCredentials(context.pool, row.addonId)) {
          const role = namedRoleOf(context, row, credential)
          if (credential.state === 'creating') await ensureNamedRole(context.server, session, role)
          if (credential.state === 'removing') await dropNamedRole(context.server, session, role)
        }
        await holdToSize(context, session, row)
        return {
          done: 'applied',
          write: async (tx) => {
            await settleNamedCredentials(tx, row.addonId)
            await followWishes(tx, row)
          },
        }
      }),
  },
})
