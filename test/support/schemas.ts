import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { platformDatabase } from '../../local-platform/service-env.ts'
import type { TestEngines } from './engines.ts'

/**
 * An empty schema of its own on the test engines, for tests that must not meet a service's rows.
 */
export async function createTestSchema({
  layout,
  credentials,
}: TestEngines): Promise<{ url: string; schema: string }> {
  const schema = `test_${randomBytes(6).toString('hex')}`
  const url = `postgres://plexus:${credentials.databaseSuperuser}@127.0.0.1:${layout.ports.postgres}/${platformDatabase}`
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(`create schema ${schema}`)
  } finally {
    await client.end()
  }
  return { url, schema }
}
