import pg from 'pg'
import { scramVerifier } from '#lib/scram-verifier.ts'
import { databaseServices, type DatabaseService } from './credentials.ts'
import { platformDatabase } from './service-env.ts'

/**
 * Makes the platform's database with a schema and a login role for each service; no role can read
 * another's schema. Idempotent; passwords are set to those given.
 *
 * @param options.adminUrl of a superuser, postgres://user:password@host:port; its database is not
 *   used.
 */
export async function prepareDatabase(options: {
  adminUrl: string
  passwords: Record<DatabaseService, string>
}): Promise<void> {
  const { adminUrl, passwords } = options
  await withClient(adminUrl, 'postgres', async (client) => {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [
      platformDatabase,
    ])
    if (rowCount === 0) await client.query(`create database ${platformDatabase}`)
  })
  await withClient(adminUrl, platformDatabase, async (client) => {
    await client.query(`revoke all on database ${platformDatabase} from public`)
    await client.query('revoke all on schema public from public')
    for (const service of databaseServices) {
      const { rowCount } = await client.query('select from pg_roles where rolname = $1', [service])
      const verb = rowCount === 0 ? 'create' : 'alter'
      const verifier = client.escapeLiteral(verifierOf(service, passwords[service]))
      await client.query(`${verb} role ${service} login password ${verifier}`)
      await client.query(`grant connect on database ${platformDatabase} to ${service}`)
      await client.query(`create schema if not exists ${service} authorization ${service}`)
    }
  })
}

function verifierOf(service: DatabaseService, password: string): string {
  try {
    return scramVerifier(password)
  } catch (error) {
    throw new Error(`role ${service}: ${(error as Error).message}`, { cause: error })
  }
}

async function withClient(
  adminUrl: string,
  database: string,
  work: (client: pg.Client) => Promise<void>,
): Promise<void> {
  const url = new URL(adminUrl)
  url.pathname = `/${database}`
  const client = new pg.Client({ connectionString: url.href })
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
