import { must } from '#lib/assert.ts'
import type { AddonId } from '#lib/ids.ts'
import type { Outcome } from '#lib/workflow/define-workflow.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { findDatabase, type DatabaseRow } from '../databases-db.ts'
import type { DatabasesContext } from '../databases.ts'
import { withDatabaseLock, type AdminSession } from '../server-admin.ts'
import { deprovisionDatabase } from './deprovision.ts'

/**
 * Runs a step's work under the database's lock, with the row as it is then: a runner that was
 * halted until somebody else had removed the database must not make it again.
 */
export async function unlessRemoved<Step extends string>(
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
