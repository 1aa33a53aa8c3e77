import { must } from '#lib/assert.ts'
import type { AddonId } from '#lib/ids.ts'
import { defineWorkflow, type Outcome } from '#lib/workflow/define-workflow.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { findDatabase, markReady, type DatabaseRow } from '../databases-db.ts'
import { openPassword, planOf, type DatabasesContext } from '../databases.ts'
import {
  ensureDatabase,
  ensureRole,
  openDatabase,
  withDatabaseLock,
  type AdminSession,
} from '../server-admin.ts'
import { deprovisionDatabase } from './deprovision.ts'

//   create-role ──▶ create-database ──▶ open-database ──▶ try-login ──▶ ready
//        └───────────────┴─────────────────┴────────────────┴──▶ deprovision-database
//                            when its removal is wanted

type Step = 'create-role' | 'create-database' | 'open-database' | 'try-login'

/** Makes the role and the database that a row of the table describes; what is there is kept. */
export const provisionDatabase = defineWorkflow<DatabasesContext>()({
  name: 'provision-database',
  first: 'create-role',
  steps: {
    'create-role': (context, { subjectId }) =>
      unlessRemoved(context, subjectId, async (session, row) => {
        const password = openPassword(context.secrets, row)
        await ensureRole(session, {
          name: row.roleName,
          password,
          plan: planOf(context.plans, row),
        })
        return { go: 'create-database' }
      }),
    'create-database': (context, { subjectId }) =>
      unlessRemoved(context, subjectId, async (session, row) => {
        await ensureDatabase(session, { name: row.databaseName, owner: row.roleName })
        return { go: 'open-database' }
      }),
    'open-database': (context, { subjectId }) =>
      unlessRemoved(context, subjectId, async (session, row) => {
        const database = { name: row.databaseName, owner: row.roleName }
        await openDatabase(context.server, session, database)
        return { go: 'try-login' }
      }),
    'try-login': (context, { subjectId }) =>
      unlessRemoved(context, subjectId, async (_session, row) => {
        const password = openPassword(context.secrets, row)
        const { databaseName: database, roleName: user } = row
        await context.server.tryLogin({ user, password, database })
        return {
          done: 'ready',
          write: async (tx) => {
            // The wish may have come since the row was read.
            if (!(await markReady(tx, row.addonId)))
              await startWorkflow(tx, deprovisionDatabase, row.addonId)
          },
        }
      }),
  },
})

/**
 * Runs a step's work under the database's lock, with the row as it is then: a runner that was
 * halted until somebody else had removed the database must not make it again.
 */
async function unlessRemoved(
  { pool, server }: DatabasesContext,
  subjectId: string,
  work: (session: AdminSession, row: DatabaseRow) => Promise<Outcome<Step>>,
): Promise<Outcome<Step>> {
  const find = async (): Promise<DatabaseRow> =>
    must(await findDatabase(pool, subjectId as AddonId), `database ${subjectId}`)
  const { databaseName } = await find()
  return withDatabaseLock(server, databaseName, async (session) => {
    const row = await find()
    if (!row.removalWanted) return work(session, row)
    return {
      done: 'removal wanted',
      write: async (tx) => {
        await startWorkflow(tx, deprovisionDatabase, row.addonId)
      },
    }
  })
}
