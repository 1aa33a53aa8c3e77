import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import type { Queryable } from '#lib/postgres.ts'

/** A folder of forward-only, numbered files: 0001-what-it-does.sql. */
export type MigrationSet = { component: string; directory: URL }

type Migration = { component: string; version: number; file: string; sql: () => Promise<string> }

/** Migrations of the shared parts that keep tables in a service's schema. */
export const workflowMigrations: MigrationSet = {
  component: 'workflow',
  directory: new URL('./workflow/migrations/', import.meta.url),
}
export const outboxMigrations: MigrationSet = {
  component: 'outbox',
  directory: new URL('./events/migrations/', import.meta.url),
}
export const secretsMigrations: MigrationSet = {
  component: 'secrets',
  directory: new URL('./secrets/migrations/', import.meta.url),
}

/**
 * Brings a schema up to the newest version, each file in its own transaction, under an advisory
 * lock: any number may call it at the same time, and it may be killed between two files.
 * Throws when the database is newer than the code.
 *
 * @returns the files that were applied, in order.
 */
export async function migrate(
  url: string,
  schema: string,
  sets: MigrationSet[],
): Promise<string[]> {
  const client = new pg.Client({ connectionString: url, options: `-c search_path=${schema}` })
  await client.connect()
  try {
    await client.query('select pg_advisory_lock(hashtext($1))', [`migrate ${schema}`])
    await client.query(
      `create table if not exists migrations (
         component text not null, version integer not null, file text not null,
         applied_at timestamptz not null default now(), primary key (component, version))`,
    )
    const pending = await pendingMigrations(client, sets)
    for (const migration of pending) await apply(client, migration)
    return pending.map(({ component, file }) => `${component}/${file}`)
  } finally {
    await client.end()
  }
}

/**
 * Throws, with what to do, when the schema is not at the version that this code was written for.
 */
export async function assertMigrated(
  db: Queryable,
  schema: string,
  sets: MigrationSet[],
): Promise<void> {
  const pending = await pendingMigrations(db, sets)
  if (pending.length > 0)
    throw new Error(
      `schema ${schema} lacks ${pending.map((m) => m.file).join(', ')}: run npm run migrate`,
    )
}

async function pendingMigrations(db: Queryable, sets: MigrationSet[]): Promise<Migration[]> {
  const all = (await Promise.all(sets.map(readSet))).flat()
  const { rows } = await db.query<{ component: string; version: number }>(
    'select component, version from migrations',
  )
  for (const { component, version } of rows) {
    const known = all.filter((migration) => migration.component === component)
    if (known.length > 0 && !known.some((migration) => migration.version === version))
      throw new Error(`the database has ${component} migration ${version}, newer than this code`)
  }
  const applied = new Set(rows.map(({ component, version }) => `${component} ${version}`))
  return all.filter(({ component, version }) => !applied.has(`${component} ${version}`))
}

async function readSet({ component, directory }: MigrationSet): Promise<Migration[]> {
  const files = (await readdir(fileURLToPath(directory))).filter((file) => file.endsWith('.sql'))
  return files.toSorted().map((file) => ({
    component,
    version: Number.parseInt(file, 10),
    file,
    sql: () => readFile(new URL(file, directory), 'utf8'),
  }))
}

async function apply(client: pg.Client, migration: Migration): Promise<void> {
  await client.query('begin')
  try {
    await client.query(await migration.sql())
    await client.query('insert into migrations (component, version, file) values ($1, $2, $3)', [
      migration.component,
      migration.version,
      migration.file,
    ])
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    throw new Error(`migration ${migration.component}/${migration.file} failed`, { cause: error })
  }
}
