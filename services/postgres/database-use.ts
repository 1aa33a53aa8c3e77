import type { AddonId } from '#lib/ids.ts'
import { shareWork } from '#lib/shared-work.ts'
import { countTables, readServerUse, type ServerUse } from './database-use-db.ts'
import type { DatabaseRow } from './databases-db.ts'
import { openPassword, planOf, type DatabasesContext } from './databases.ts'
import { looksInsideMax, lookTimeoutMs } from './limits.ts'

export type DatabaseUse = ServerUse & {
  /** Undefined when that cannot be seen now. */
  tables: number | undefined
}

/** What a database uses, each database looked at once at a time, whoever asks. */
export type ObserveUse = (row: DatabaseRow) => Promise<DatabaseUse>

export function createUseObserver(context: DatabasesContext): ObserveUse {
  const share = shareWork<AddonId, number | undefined>(looksInsideMax)
  return async (row) => {
    const use = await readServerUse(context.server, row)
    if (!hasConnectionLeft(context, row, use.connections)) return { ...use, tables: undefined }
    const tables = await share(row.addonId, () => countTablesInside(context, row))
    return { ...use, tables }
  }
}

/** A database that is far over its size has one connection, if any: it is the customer's. */
const hasConnectionLeft = (
  { plans }: DatabasesContext,
  row: DatabaseRow,
  connections: number,
): boolean => row.sizeState !== 'far-over' && connections < planOf(plans, row).connectionsMax

/**
 * Looks as the database's own role, so that an owner can trick, hold up or lock out nobody but
 * himself: a session that his locks keep waiting, whatever it asks (a `vacuum full pg_class` that
 * waits for somebody), is one of his own connections, not one of the superuser's few.
 */
async function countTablesInside(
  { server, secrets }: DatabasesContext,
  row: DatabaseRow,
): Promise<number | undefined> {
  const { roleName: user, databaseName: database } = row
  const password = openPassword(secrets, row)
  try {
    const session = await server.connectAs({ user, password, database }, lookTimeoutMs)
    try {
      return await countTables(session)
    } finally {
      await session.end()
    }
  } catch {
    // The owner has changed his password, closed his database, holds locks … it is his to know.
    return undefined
  }
}
