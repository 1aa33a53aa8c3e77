import type { AddonId } from '#lib/ids.ts'
import { defineWorkflow } from '#lib/workflow/define-workflow.ts'
import { markDeprovisioned, markDeprovisioning } from '../databases-db.ts'
import { rolesOf, type DatabasesContext } from '../databases.ts'
import { deleteNamedCredentials } from '../named-credentials-db.ts'
import { deleteScheduleOf } from '../schedules-db.ts'
import { closeRole, dropDatabase, dropRole } from '../server-admin.ts'
import { expireBackups } from '../transfers-db.ts'
import { finalSnapshotDeadlines, finalSnapshotSteps } from './final-snapshot.ts'
import { underLock } from './under-lock.ts'

//   mark ──▶ close-role ──▶ look-inside ──▶ dump ──▶ check ──▶ clean-up ─┐
//                               └────────────┴────────┴─────▶ drop-database ──▶ drop-role ──▶ forget
//                                                                                               └▶ gone
//
// Entered by the wish to be gone, from whatever the provision workflow had made so far. When nobody
// gets in any more and there is something inside, a last backup is made (final-snapshot.ts).

/**
 * Removes a database and its roles for good; of what is missing already nothing is removed. What
 * remains for some days are its backups.
 */
export const deprovisionDatabase = defineWorkflow<DatabasesContext>()({
  name: 'deprovision-database',
  first: 'mark',
  deadlineSeconds: finalSnapshotDeadlines,
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
      return { go: 'look-inside' }
    },
    ...finalSnapshotSteps('drop-database'),
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
    async forget({ backups }, { subjectId }) {
      const addonId = subjectId as AddonId
      return {
        done: 'gone',
        write: async (tx) => {
          await markDeprovisioned(tx, addonId)
          await deleteNamedCredentials(tx, addonId)
          await expireBackups(tx, { addonId, keepDays: backups.finalDays })
          await deleteScheduleOf(tx, addonId)
        },
      }
    },
  },
})
