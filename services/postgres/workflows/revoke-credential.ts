import { must } from '#lib/assert.ts'
import { defineWorkflow } from '#lib/workflow/define-workflow.ts'
import { closeFormer, dropFormer, holdLogin, revokeConnects } from '../credentials-db.ts'
import { deleteFormerCredential, type DatabaseRow } from '../databases-db.ts'
import { rolesOf, type DatabasesContext } from '../databases.ts'
import { deleteFormerLogins, listNamedCredentials } from '../named-credentials-db.ts'
import { namedRoleOf } from '../named-credentials.ts'
import { rotatedLogins } from '../rotated-logins.ts'
import type { AdminSession } from '../server-admin.ts'
import { followWishes } from './change-plan.ts'
import { unlessRemoved } from './unless-removed.ts'

//   close-former ──▶ drop-former ──▶ revoked ──▶ change-database-plan, when another plan was wanted
//        └────────────────┴─────────────┴─────▶ deprovision-database, when its removal is wanted

/** Ends the credentials that a database had before its last rotation: see credentials-db.ts. */
export const revokeDatabaseCredential = defineWorkflow<DatabasesContext>()({
  name: 'revoke-database-credential',
  first: 'close-former',
  steps: {
    'close-former': (context, { subjectId }) =>
      unlessRemoved(context, subjectId, async (session, row) => {
        const { databaseName: database } = row
        const rotatedAt = must(row.rotatedAt, 'time of the rotation')
        for (const { owner, former, isDatabaseOwner } of await rotatedLogins(context, row)) {
          // The database's owner is a member of each named credential.
          const members = isDatabaseOwner ? [] : [row.roleName]
          const login = { owner, former, database, members, rotatedAt }
          await closeFormer(context.server, session, login)
          if (!isDatabaseOwner) continue
          await revokeConnects(context.server, session, { database, roles: rolesOf(row) })
          await holdNamedLogins(context, session, row)
        }
        return { go: 'drop-former' }
      }),
    'drop-former': (context, { subjectId }) =>
      unlessRemoved(context, subjectId, async (session, row) => {
        for (const { owner, former } of await rotatedLogins(context, row))
          await dropFormer(context.server, session, { owner: owner.name, former })
        return {
          done: 'revoked',
          write: async (tx) => {
            await deleteFormerCredential(tx, row.addonId)
            await deleteFormerLogins(tx, row.addonId)
            await followWishes(tx, row)
          },
        }
      }),
  },
})

/** Who knew the owner's credential could be each of the named ones as well. */
async function holdNamedLogins(
  context: DatabasesContext,
  session: AdminSession,
  row: DatabaseRow,
): Promise<void> {
  for (const credential of await listNamedCredentials(context.pool, row.addonId)) {
    const owner = namedRoleOf(context, row, credential)
    const { formerRoleName } = credential
    const members = formerRoleName === null ? [row.roleName] : [row.roleName, formerRoleName]
    await holdLogin(context.server, session, { owner, database: row.databaseName, members })
  }
}
