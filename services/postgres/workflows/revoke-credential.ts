import { must } from '#lib/assert.ts'
import { defineWorkflow } from '#lib/workflow/define-workflow.ts'
import { closeFormer, dropFormer } from '../credentials-db.ts'
import { deleteFormerCredential } from '../databases-db.ts'
import { openPassword, rolesOf, type DatabasesContext } from '../databases.ts'
import { followWishes } from './change-plan.ts'
import { unlessRemoved } from './unless-removed.ts'

//   close-former ──▶ drop-former ──▶ revoked ──▶ change-database-plan, when another plan was wanted
//        └────────────────┴─────────────┴─────▶ deprovision-database, when its removal is wanted

/** Ends the credential that a database had before its last rotation: see credentials-db.ts. */
export const revokeDatabaseCredential = defineWorkflow<DatabasesContext>()({
  name: 'revoke-database-credential',
  first: 'close-former',
  steps: {
    'close-former': (context, { subjectId }) =>
      unlessRemoved(context, subjectId, async (session, row) => {
        await closeFormer(context.server, session, {
          owner: { name: row.roleName, password: openPassword(context.secrets, row) },
          former: must(row.formerRoleName, 'former role'),
          database: row.databaseName,
          roles: rolesOf(row),
          rotatedAt: must(row.rotatedAt, 'time of the rotation'),
        })
        return { go: 'drop-former' }
      }),
    'drop-former': (context, { subjectId }) =>
      unlessRemoved(context, subjectId, async (session, row) => {
        const former = must(row.formerRoleName, 'former role')
        await dropFormer(context.server, session, { owner: row.roleName, former })
        return {
          done: 'revoked',
          write: async (tx) => {
            await deleteFormerCredential(tx, row.addonId)
            await followWishes(tx, row)
          },
        }
      }),
  },
})
