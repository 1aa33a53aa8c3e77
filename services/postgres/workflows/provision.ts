import { defineWorkflow } from '#lib/workflow/define-workflow.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { markReady } from '../databases-db.ts'
import { openPassword, planOf, type DatabasesContext } from '../databases.ts'
import { ensureDatabase, ensureRole, openDatabase } from '../server-admin.ts'
import { deprovisionDatabase } from './deprovision.ts'
import { unlessRemoved } from './unless-removed.ts'

//   create-role ──▶ create-database ──▶ open-database ──▶ try-login ──▶ ready
//        └───────────────┴─────────────────┴────────────────┴──▶ deprovision-database
//                            when its removal is wanted

/** Makes the role and the database that a row of the table describes; what is there is kept. */
export const provisionDatabase = defineWorkflow<DatabasesContext>()({
  name: 'provision-database',
  first: 'create-role',
  steps: {
    'create-role': (context, { subjectId }) =>
      unlessRemoved(context, subjectId, async (session, row) => {
        const password = openPassword(context.secrets, row)
        await ensureRole(context.server, session, {
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
