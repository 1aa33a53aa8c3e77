import { defineWorkflow } from '#lib/workflow/define-workflow.ts'
import { readServerTime, splitLogin } from '../credentials-db.ts'
import { markRotated } from '../databases-db.ts'
import type { DatabasesContext } from '../databases.ts'
import { rotatedLogins } from '../rotated-logins.ts'
import { followWishes } from './change-plan.ts'
import { unlessRemoved } from './unless-removed.ts'

//   split-login ──▶ rotated ──▶ change-database-plan, when another plan was wanted meanwhile
//        └─────────────┴──────▶ deprovision-database, when its removal is wanted

/**
 * Brings the credentials into force that the table has for a database, beside the former ones: see
 * credentials-db.ts.
 */
export const rotateDatabaseCredential = defineWorkflow<DatabasesContext>()({
  name: 'rotate-database-credential',
  first: 'split-login',
  steps: {
    'split-login': (context, { subjectId }) =>
      unlessRemoved(context, subjectId, async (session, row) => {
        for (const login of await rotatedLogins(context, row))
          await splitLogin(context.server, session, login)
        const at = await readServerTime(session)
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
