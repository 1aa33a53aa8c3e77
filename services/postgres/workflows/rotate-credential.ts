import { must } from '#lib/assert.ts'
import { defineWorkflow } from '#lib/workflow/define-workflow.ts'
import { splitLogin } from '../credentials-db.ts'
import { markRotated } from '../databases-db.ts'
import { openPassword, type DatabasesContext } from '../databases.ts'
import { followWishes } from './change-plan.ts'
import { unlessRemoved } from './unless-removed.ts'

//   split-login ──▶ rotated ──▶ change-database-plan, when another plan was wanted meanwhile
//        └─────────────┴──────▶ deprovision-database, when its removal is wanted

/**
 * Brings the credential into force that the table has for a database, beside the former one: see
 * credentials-db.ts.
 */
export const rotateDatabaseCredential = defineWorkflow<DatabasesContext>()({
  name: 'rotate-database-credential',
  first: 'split-login',
  steps: {
    'split-login': (context, { subjectId }) =>
      unlessRemoved(context, subjectId, async (session, row) => {
        const owner = { name: row.roleName, password: openPassword(context.secrets, row) }
        const former = must(row.formerRoleName, 'former role')
        const at = await splitLogin(context.server, session, { owner, former })
        return {
          done: 'rotated',
          write: async (tx) => {
            await markRotated(tx, row.addonId, at)
            await followWishes(tx, row)
          },
        }
      }),
  },
})
