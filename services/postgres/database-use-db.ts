import type { Queryable } from '#lib/postgres.ts'
import type { AddonServer } from './addon-server.ts'
import type { DatabaseRow } from './databases-db.ts'

export type ServerUse = {
  /** Sessions of the database's roles, in whatever database they are. */
  connections: number
  /** Those of them that began with the credential before the last rotation. */
  formerConnections: number
  sizeBytes: number
  /** "15.13", without what its packager adds. */
  serverVersion: string
}

/**
 * What the server knows of a database without entering it. The size is the size check's of a moment
 * ago: measuring takes longer the more files an owner has made, which must not hold up others.
 */
export async function readServerUse(
  { pool }: AddonServer,
  { databaseName, roleName, formerRoleName, rotatedAt, sizeBytes }: DatabaseRow,
): Promise<ServerUse> {
  const { rows } = await pool.query<ServerUse>(
    `select
       (select count(*)::int from pg_stat_activity where usename in ($2, $4)) as connections,
       (select count(*)::int from pg_stat_activity
         where usename = $4 or (usename = $2 and backend_start < $5)) as "formerConnections",
       coalesce(nullif($3::float8, 0),
         (select pg_database_size(oid) from pg_database where datname = $1), 0) as "sizeBytes",
       split_part(current_setting('server_version'), ' ', 1) as "serverVersion"`,
    [databaseName, roleName, sizeBytes, formerRoleName, rotatedAt],
  )
  return rows[0] ?? { connections: 0, formerConnections: 0, sizeBytes, serverVersion: '' }
}

/** Tables in the database that a session is in, but for the system's own. */
export async function countTables(session: Queryable): Promise<number> {
  const { rows } = await session.query<{ tables: number }>(
    `select pg_catalog.count(*)::int as tables
     from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p') and n.nspname !~ '^(pg_|information_schema$)'`,
  )
  // An owner may have made operators of his own, and with them any number for himself.
  return Math.max(0, rows[0]?.tables ?? 0)
}
