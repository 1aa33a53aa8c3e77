import pg from 'pg'
import { databaseServices, type Credentials } from './credentials.ts'
import { platformDatabase } from './service-env.ts'

/**
 * Makes the platform's database with a schema and a login role for each service; no role can read
 * another's schema. Idempotent; passwords are set to those given.
 */
export async function prepareDatabase(options: {
  port: number
  credentials: Credentials
}): Promise<void> {
  const { port, credentials } = options
  const admin = { host: '127.0.0.1', port, user: 'plexus', password: credentials.databaseSuperuser }
  await withClient({ ...admin, database: 'postgres' }, async (client) => {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [
      platformDatabase,
    ])
    if (rowCount === 0) await client.query(`create database ${platformDatabase}`)
  })
  await withClient({ ...admin, database: platformDatabase }, async (client) => {
    await client.query(`revoke all on database ${platformDatabase} from public`)
    await client.query('revoke all on schema public from public')
    for (const service of databaseServices) {
      const { rowCount } = await client.query('select from pg_roles where rolname = $1', [service])
      const verb = rowCount === 0 ? 'create' : 'alter'
      const password = client.escapeLiteral(credentials.database[service])
      await client.query(`${verb} role ${service} login password ${password}`)
      await client.query(`grant connect on database ${platformDatabase} to ${service}`)
      await client.query(`create schema if not exists ${service} authorization ${service}`)
    }
  })
}

async function withClient(
  config: pg.ClientConfig,
  work: (client: pg.Client) => Promise<void>,
): Promise<void> {
  const client = new pg.Client(config)
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
