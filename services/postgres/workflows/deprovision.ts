import { must } from '#lib/assert.ts'
import type { AddonId } from '#lib/ids.ts'
import { defineWorkflow } from '#lib/workflow/define-workflow.ts'
import {
  findDatabase,
  markDeprovisioned,
  markDeprovisioning,
  type DatabaseRow,
} from '../databases-db.ts'
import { rolesOf, type DatabasesContext } from '../databases.ts'
import {
  closeRole,
  dropDatabase,
  dropRole,
  withDatabaseLock,
  type AdminSession,
} from '../server-admin.ts'

//   mark ──▶ close-role ──▶ drop-database ──▶ drop-role ──▶ forget ──▶ gone
//
// Entered by the wish to be gone, from whatever the provision workflow had made so far.

/** Removes a database and its roles for good; of what is missing already nothing is removed. */
export const deprovisionDatabase = defineWorkflow<DatabasesContext>()({
  name: 'deprovision-database',
  first: 'mark',
  steps: {
    async mark(_context, { subjectId }) {
      return {
        go: 'close-role',
        write: (tx) => markDeprovisioning(tx, subjectId as AddonId),
      }
    },
    async 'close-role'(context, { subjectId }) {
      await underLock(context, subjectId, async (session, row) => {
        for (const role of rolesOf(row)) await closeRole(context.server, session, role)
      })
      return { go: 'drop-database' }
    },
    async 'drop-database'(context, { subjectId }) {
      await underLock(context, subjectId, (session, row) =>
        dropDatabase(context.server, session, { name: row.databaseName, roles: rolesOf(row) }),
      )
      return { go: 'drop-role' }
    },
    async 'drop-role'(context, { subjectId }) {
      await underLock(context, subjectId, async (session, row) => {
        for (const role of rolesOf(row)) await dropRole(context.server, session, role)
      })
      return { go: 'forget' }
    },
    async forget(_context, { subjectId }) {
      return {
        done: 'gone',
        write: (tx) => markDeprovisioned(tx, subjectId as AddonId),
      }
    },
  },
})

async function underLock(
  { pool, server }: DatabasesContext,
  subjectId: string,
  work: (session: AdminSession, row: DatabaseRow) => Promise<void>,
): Promise<void> {
  const row = must(await findDatabase(pool, subjectId as AddonId), `database ${subjectId}`)
  await withDatabaseLock(server, row.databaseName, (session) => work(session, row))
}
