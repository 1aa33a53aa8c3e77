import { beforeAll, expect, test } from 'vitest'
import type { AddonId } from '#lib/ids.ts'
import { connect, databases, useTestDatabases } from '../../test/support/test-databases.ts'
import { eventually } from '../../test/support/eventually.ts'
import { createUseObserver, type DatabaseUse, type ObserveUse } from './database-use.ts'

const plans = { small: { connectionsMax: 3, sizeBytesMax: 100 * 1024 ** 2 } }

let observeUse: ObserveUse

useTestDatabases(plans)

beforeAll(() => {
  observeUse = createUseObserver(databases.context)
})

const observe = async (addonId: AddonId): Promise<DatabaseUse> =>
  observeUse(await databases.row(addonId))

test('what a database uses is told as it is', async () => {
  const { url, addonId } = await databases.provision('small')
  const client = await connect(url)
  await client.query(
    'create table one (i int); create table two (i int); create view v as select 1',
  )
  const { rows } = await client.query<{ version: string; size: number }>(
    `select current_setting('server_version') as version,
       pg_database_size(current_database())::int as size`,
  )
  const use = await observe(addonId)
  expect(use).toMatchObject({ connections: 1, tables: 2 })
  expect(use.sizeBytes).toBe(rows[0]?.size)
  expect(rows[0]?.version).toMatch(new RegExp(`^${use.serverVersion}\\b`))
})

test('with every connection in use the customers keep them all', async () => {
  const { url, addonId } = await databases.provision('small')
  for (let n = 0; n < plans.small.connectionsMax; n++) await connect(url)
  expect(await observe(addonId)).toMatchObject({ connections: 3, tables: undefined })
})

test('who asks at the same time shares one look', async () => {
  const { url, addonId } = await databases.provision('small')
  await (await connect(url)).query('create table one (i int)')
  const uses = await Promise.all(Array.from({ length: 20 }, () => observe(addonId)))
  expect(uses.map(({ tables }) => tables)).toEqual(uses.map(() => 1))
})

test('an owner who keeps every session of his waiting does not hold up the answer', async () => {
  const { url, addonId } = await databases.provision('small')
  const [holding, waiting] = [await connect(url), await connect(url)]
  await holding.query('set idle_in_transaction_session_timeout = 0')
  await holding.query('begin')
  await holding.query('lock table pg_class in access share mode')
  // It waits for the other, and whoever comes for whatever in the database waits behind it.
  const rewriting = waiting.query('vacuum full pg_class')
  await eventually(async () => {
    const { rowCount } = await databases.context.server.pool.query(
      `select from pg_stat_activity where query like 'vacuum full%' and wait_event_type = 'Lock'`,
    )
    expect(rowCount).toBe(1)
  })
  const startedMs = Date.now()
  expect(await observe(addonId)).toMatchObject({ connections: 2, tables: undefined })
  expect(Date.now() - startedMs).toBeLessThan(5_000)
  // A look ends nobody's session.
  await holding.query('commit')
  await rewriting
})

test('an owner who presets what he can fools himself only', async () => {
  const { url, addonId } = await databases.provision('small')
  const { databaseName, roleName } = await databases.row(addonId)
  const client = await connect(url)
  await client.query('create table one (i int)')
  const presets = ['search_path = public, pg_catalog', 'statement_timeout = 1']
  for (const preset of presets) {
    await client.query(`alter database ${databaseName} set ${preset}`)
    await client.query(`alter role ${roleName} set ${preset}`)
  }
  expect((await observe(addonId)).tables).toBe(1)
  await client.query(`alter role ${roleName} password 'other'`)
  expect((await observe(addonId)).tables).toBeUndefined()
})
