import { defineWorkflow, type Outcome, type StepInfo } from '#lib/workflow/define-workflow.ts'
import type { DatabaseRow } from '../databases-db.ts'
import { rolesOf, type DatabasesContext } from '../databases.ts'
import {
  closeRole,
  dropDatabase,
  ensureDatabase,
  openDatabase,
  type AdminSession,
} from '../server-admin.ts'
import { assertHere } from './assert-here.ts'
import { followWishes } from './change-plan.ts'
import { openRoles } from './open-roles.ts'
import { unlessRemoved } from './unless-removed.ts'

//   close-role ──▶ drop-database ──▶ create-database ──▶ open-database ──▶ open-role ──▶ emptied
//       └───────────────┴───────────────────┴──────────────────┴──────────────┤
//                                                                             ├──▶ change-database-plan
//          deprovision-database, when its removal is wanted ◀─────────────────┘

type Step = 'close-role' | 'drop-database' | 'create-database' | 'open-database' | 'open-role'

/**
 * Empties a database: it is made anew under its name, for the same roles with the same passwords.
 * What its owner had preset for it is gone as well, and what it was over its size. From its first
 * step to its last nobody is let in, so that nothing is written that the drop would take along.
 */
export const resetDatabase = defineWorkflow<DatabasesContext>()<Step>({
  name: 'reset-database',
  first: 'close-role',
  steps: {
    'close-role': whileHere('close-role', async (context, session, row) => {
      for (const role of rolesOf(row)) await closeRole(context.server, session, role)
      return { go: 'drop-database' }
    }),
    'drop-database': whileHere('drop-database', async (context, session, row) => {
      const database = { name: row.databaseName, roles: rolesOf(row) }
      await dropDatabase(context.server, session, database)
      return { go: 'create-database' }
    }),
    'create-database': whileHere('create-database', async (_context, session, row) => {
      await ensureDatabase(session, namesOf(row))
      return { go: 'open-database' }
    }),
    'open-database': whileHere('open-database', async ({ server }, session, row) => {
      await openDatabase(server, session, namesOf(row))
      return { go: 'open-role' }
    }),
    'open-role': whileHere('open-role', async (context, session, row) => {
      await openRoles(context, session, row)
      return { done: 'emptied', write: (tx) => followWishes(tx, row) }
    }),
  },
})

const namesOf = ({ databaseName: name, roleName: owner }: DatabaseRow) => ({ name, owner })

/**
 * Runs a step's work under the database's lock, and only while the workflow stands at that step:
 * nothing must be dropped that was written since, nor anybody shut out.
 */
function whileHere(
  step: Step,
  work: (
    context: DatabasesContext,
    session: AdminSession,
    row: DatabaseRow,
  ) => Promise<Outcome<Step>>,
) {
  return (context: DatabasesContext, info: StepInfo): Promise<Outcome<Step>> =>
    unlessRemoved(context, info.subjectId, async (session, row) => {
      await assertHere(context, info, step)
      return work(context, session, row)
    })
}
