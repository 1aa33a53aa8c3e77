import pg from 'pg'
import type { Log } from '#lib/log.ts'

export type Pool = pg.Pool
/** A pool or a transaction's client: what a function of a *-db.ts file takes first. */
export type Queryable = Pick<pg.ClientBase, 'query'>
/** A client inside a transaction: a function that takes one must not be called outside of one. */
export type Transaction = pg.ClientBase

const connectTimeoutMs = 5_000
const statementTimeoutMs = 30_000

/** A pool whose connections see one schema: the service's own. Url: postgres://user:pw@host/db. */
export function openPool(options: { url: string; schema: string; log: Log; max?: number }): Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.max ?? 10,
    connectionTimeoutMillis: connectTimeoutMs,
    options: `-c search_path=${options.schema} -c statement_timeout=${statementTimeoutMs}`,
    application_name: options.schema,
  })
  // An idle connection that the server closes is no reason to die; the next query opens another.
  pool.on('error', (error) => options.log.warn({ err: error }, 'idle postgres connection lost'))
  return pool
}

/** Runs `work` in a transaction: committed when it returns, rolled back when it throws. */
export async function transaction<T>(
  pool: Pool,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    await client.query('begin')
    const result = await work(client)
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback').catch((rollbackError: Error) => {
      broken = rollbackError
    })
    throw error
  } finally {
    client.release(broken)
  }
}

/** True for a unique violation, of that constraint when one is named. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  return (
    error instanceof pg.DatabaseError &&
    error.code === '23505' &&
    (constraint === undefined || error.constraint === constraint)
  )
}
