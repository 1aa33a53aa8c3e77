import type pg from 'pg'
import type { Contents } from './contents.ts'
import { relationsMax } from './limits.ts'

type Relation = { name: string; kind: string; columns: string[] | null }

/**
 * The server's own number of a database, which a database that takes its place under its name does
 * not have. Undefined without such a database.
 */
export async function findDatabaseOid(
  db: Pick<pg.ClientBase, 'query'>,
  databaseName: string,
): Promise<number | undefined> {
  const { rows } = await db.query<{ oid: number }>(
    'select oid::bigint::float8 as oid from pg_database where datname = $1',
    [databaseName],
  )
  return rows[0]?.oid
}

/** Tables that one statement locks. */
const lockedAtOnce = 500

/**
 * Takes part in what a dump sees: from here to the end of its transaction the session sees one
 * moment, whose name is answered for pg_dump, and none of the tables can be dropped or emptied.
 */
export async function beginSnapshot(
  session: pg.ClientBase,
): Promise<{ snapshot: string; relations: Relation[] }> {
  await session.query('begin transaction isolation level repeatable read, read only')
  const { rows } = await session.query<{ snapshot: string }>(
    'select pg_catalog.pg_export_snapshot() as snapshot',
  )
  const relations = await listRelations(session)
  const tables = relations.filter(({ kind }) => kind === 'r').map(({ name }) => `only ${name}`)
  for (let first = 0; first < tables.length; first += lockedAtOnce) {
    const some = tables.slice(first, first + lockedAtOnce).join(', ')
    await session.query(`lock table ${some} in access share mode`)
  }
  return { snapshot: rows[0]?.snapshot ?? '', relations }
}

/**
 * What a dump takes along, but for what extensions bring. Names are quoted where they have to be.
 * All that is asked is the system's own, by its full name where an owner could have put one before.
 */
export async function listRelations(session: pg.ClientBase): Promise<Relation[]> {
  const { rows } = await session.query<Relation>(
    `select quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name, c.relkind as kind,
       (select array_agg(quote_ident(a.attname) order by a.attname) from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '')
       as columns
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and c.relpersistence <> 't'
       and n.nspname !~ '^(pg_|information_schema$)'
       and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass
         and d.objid = c.oid and d.deptype = 'e')
     limit ${relationsMax + 1}`,
  )
  if (rows.length > relationsMax)
    throw new Error(`There are more than ${relationsMax} tables, views and sequences.`)
  return rows
}

/**
 * Counts and sums up every row of every table. Columns go by their names, whose order a restore may
 * change, and are shown by the system's functions: what the owner casts his rows to is not asked.
 */
export async function readContents(
  session: pg.ClientBase,
  relations: Relation[],
  signal: AbortSignal,
): Promise<Contents> {
  const contents: Contents = {}
  for (const { name, kind, columns } of relations) {
    signal.throwIfAborted()
    contents[name] = { kind, ...(kind === 'r' && (await sumUp(session, name, columns ?? []))) }
  }
  const { rows } = await session.query<{ rows: string }>(
    'select count(*)::text as rows from pg_largeobject_metadata',
  )
  contents['large objects'] = { kind: 'L', rows: rows[0]?.rows ?? '0' }
  return contents
}

async function sumUp(
  session: pg.ClientBase,
  table: string,
  columns: string[],
): Promise<{ rows: string; sum: string }> {
  const row = `row(${columns.map((column) => `t.${column}`).join(', ')})`
  const { rows } = await session.query<{ rows: string; sum: string }>(
    `select count(*)::text as rows, coalesce(sum(
       hashtextextended(textin(record_out(${row})) collate "C", 0)::numeric), 0)::text as sum
     from only ${table} as t`,
  )
  return rows[0] ?? { rows: '0', sum: '0' }
}
