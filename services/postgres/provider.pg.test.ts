import pg from 'pg'
import { afterAll, expect, inject, test } from 'vitest'
import { newId, type AddonId } from '#lib/ids.ts'
import { eventually } from '../../test/support/eventually.ts'
import { shippedManifests } from '../../test/support/manifests.ts'
import { addonServerUrl, connectCustomer } from '../../test/support/postgres-provider.ts'
import { openProvider, testProvider } from '../../test/support/provider-suite.ts'
import { loadPlans } from './plans.ts'

const provider = openProvider({
  service: 'postgres',
  settings: { PLEXUS_ADDON_POSTGRES_SIZE_CHECK_SECONDS: '1' },
  plan: 'essential-0',
  configVar: 'HEROKU_POSTGRESQL_URL',
})
const plans = await loadPlans(shippedManifests)
const server = new pg.Pool({ connectionString: addonServerUrl(inject('engines')) })

afterAll(() => server.end())

/** The plan that has those limits. */
function nameOf(stands: { connectionsMax: number | undefined; gigabytes: number }): string {
  const found = Object.entries(plans).find(
    ([, { connectionsMax, sizeBytesMax }]) =>
      connectionsMax === stands.connectionsMax && sizeBytesMax === stands.gigabytes * 1024 ** 3,
  )
  return found?.[0] ?? `no plan: ${JSON.stringify(stands)}`
}

testProvider(provider, {
  addonService: 'heroku-postgresql',
  table: 'databases',
  column: 'password',
  plans: ['essential-0', 'essential-1', 'essential-2', 'standard-0'],
  otherPlan: 'standard-0',
  atOnce: 12,
  use: async (url) => {
    const client = await connectCustomer(url)
    try {
      // Whoever has used it before with other credentials made the table for all of them.
      await client.query('drop table if exists t; create table t (i int)')
    } finally {
      await client.end()
    }
  },
  // Its databases and its roles.
  countParts: async (uuid) => {
    const { rows } = await provider.pool.query<{ database_name: string; role_name: string }>(
      'select database_name, role_name from databases where addon_id = $1',
      [uuid],
    )
    const counts = await server.query<{ databases: number; roles: number }>(
      `select (select count(*)::int from pg_database where datname = $1) as databases,
         (select count(*)::int from pg_roles where rolname = $2) as roles`,
      [rows[0]?.database_name, rows[0]?.role_name],
    )
    return [counts.rows[0]?.databases ?? -1, counts.rows[0]?.roles ?? -1]
  },
  // By what its role is held to; that temporary files may have a tenth of the size tells the size.
  planInForce: async (uuid, url) => {
    const { rows } = await provider.pool.query<{ role_name: string }>(
      'select role_name from databases where addon_id = $1',
      [uuid],
    )
    const limits = await server.query<{ connections: number }>(
      'select rolconnlimit as connections from pg_roles where rolname = $1',
      [rows[0]?.role_name],
    )
    const client = await connectCustomer(url)
    const settings = await client.query<{ kilobytes: string }>(
      `select setting as kilobytes from pg_settings where name = 'temp_file_limit'`,
    )
    await client.end()
    const stands = {
      connectionsMax: limits.rows[0]?.connections,
      gigabytes: Math.round((Number(settings.rows[0]?.kilobytes) * 10) / 1024 ** 2),
    }
    return nameOf(stands)
  },
})

test('the size check runs by itself', async () => {
  const uuid = newId<AddonId>()
  await provider.askUntilReady(uuid)
  await eventually(async () => {
    const { rows } = await provider.pool.query<{ size_bytes: string }>(
      'select size_bytes from databases where addon_id = $1',
      [uuid],
    )
    expect(Number(rows[0]?.size_bytes)).toBeGreaterThan(1_000_000)
  })
  await provider.removeUntilGone(uuid)
})
