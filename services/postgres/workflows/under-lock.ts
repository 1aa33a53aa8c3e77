import { must } from '#lib/assert.ts'
import type { AddonId } from '#lib/ids.ts'
import { findDatabase, type DatabaseRow } from '../databases-db.ts'
import type { DatabasesContext } from '../databases.ts'
import { withDatabaseLock, type AdminSession } from '../server-admin.ts'

/** Runs a step's work under the lock of the workflow's database, with the row as it is then. */
export async function underLock<T>(
  { pool, server }: DatabasesContext,
  subjectId: string,
  work: (session: AdminSession, row: DatabaseRow) => Promise<T>,
): Promise<T> {
  const find = async (): Promise<DatabaseRow> =>
    must(await findDatabase(pool, subjectId as AddonId), `database ${subjectId}`)
  const { databaseName } = await find()
  return withDatabaseLock(server, databaseName, async (session) => work(session, await find()))
}
