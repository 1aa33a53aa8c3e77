import type pg from 'pg'
import { afterAll, afterEach, beforeAll, inject } from 'vitest'
import type { Plans } from '../../services/postgres/plans.ts'
import { connectCustomer, openTestDatabases, type TestDatabases } from './postgres-provider.ts'

export let databases: TestDatabases
let clients: pg.Client[] = []

/**
 * Opens the provider's databases before the tests of a file, and closes them after: fills in
 * `databases`. Call it once, on top.
 */
export function useTestDatabases(plans?: Plans): void {
  beforeAll(async () => {
    databases = await openTestDatabases(inject('engines'), plans)
  })

  afterEach(async () => {
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)))
    clients = []
  })

  afterAll(() => databases.close())
}

/** A customer's session, which ends with the test. */
export async function connect(url: string): Promise<pg.Client> {
  const client = await connectCustomer(url)
  clients.push(client)
  return client
}
