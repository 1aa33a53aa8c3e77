import type pg from 'pg'
import { expect, test } from 'vitest'
import type { AddonId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { transaction } from '#lib/postgres.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { connectCustomer } from '../../test/support/postgres-provider.ts'
import { connect, databases, useTestDatabases } from '../../test/support/test-databases.ts'
import { eventually } from '../../test/support/eventually.ts'
import { checkSizes } from './size-check.ts'
import { deprovisionDatabase } from './workflows/deprovision.ts'

// What an owner can do on purpose with rights that PostgreSQL gives every owner. Before the
// provider ended the sessions that it waits for, each of these took its statements' whole minute.

useTestDatabases()

/** A session that does this in a transaction that it leaves open. */
const hold = async (url: string, sql: string): Promise<pg.Client> => {
  const client = await connect(url)
  await client.query('set idle_in_transaction_session_timeout = 0')
  await client.query('begin')
  await client.query(sql)
  return client
}

/** Does it in several sessions at a time, each of which comes back as soon as it is ended. */
function insistInALoop(url: string, sql: string): () => Promise<void> {
  let stopped = false
  const clients: pg.Client[] = []
  const loop = async (): Promise<void> => {
    while (!stopped) {
      const client = await connectCustomer(url).catch(() => undefined)
      if (!client) continue
      const ended = new Promise<void>((resolve) => client.once('end', () => resolve()))
      clients.push(client)
      await client.query(`set idle_in_transaction_session_timeout = 0`).catch(() => undefined)
      await client.query(sql).catch(() => undefined)
      await ended
    }
  }
  const loops = Array.from({ length: 5 }, loop)
  return async () => {
    stopped = true
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)))
    await Promise.all(loops)
  }
}

async function remove(addonId: AddonId): Promise<void> {
  const removal = await transaction(databases.context.pool, async (tx) => {
    await databases.table.wantRemoval(tx, addonId)
    return startWorkflow(tx, deprovisionDatabase, addonId)
  })
  expect(await databases.drive.finish(removal)).toBe('gone')
}

test('an owner who keeps role and database locked, and comes back for it, is removed', async () => {
  const { addonId, url } = await databases.provision('essential-0')
  const { databaseName } = await databases.row(addonId)
  await hold(url, `alter role current_user password 'other'`)
  await hold(url, `alter database ${databaseName} connection limit 7`)
  const busy = `do $$ begin loop
      begin
        alter role current_user password 'md500000000000000000000000000000000';
      exception when others then null;
      end;
      commit;
    end loop; end $$`
  const loops = [
    insistInALoop(url, `begin; alter role current_user password 'other'`),
    insistInALoop(url, `begin; alter database ${databaseName} connection limit 7`),
    insistInALoop(url, busy),
  ]
  // They are at work when one of them had to wait for another.
  await eventually(async () => {
    const { rowCount } = await databases.context.server.pool.query(
      `select from pg_stat_activity where datname = $1 and wait_event_type = 'Lock'`,
      [databaseName],
    )
    expect(rowCount).toBeGreaterThan(4)
  })
  const startedMs = Date.now()
  await remove(addonId)
  expect(await databases.onServer(addonId)).toEqual([0, 0])
  expect(Date.now() - startedMs).toBeLessThan(10_000)
  await Promise.all(loops.map((stop) => stop()))
})

test('an owner who keeps his role locked does not hold up the size check', async () => {
  const { addonId, url } = await databases.provision('essential-0')
  const { roleName } = await databases.row(addonId)
  await databases.context.server.pool.query(`alter role ${roleName} connection limit 19`)
  const holding = await hold(url, `alter role current_user password 'other'`)
  const startedMs = Date.now()
  await checkSizes(databases.context, silentLog)
  expect(Date.now() - startedMs).toBeLessThan(3_000)
  await expect(holding.query('select 1')).rejects.toThrow(/terminat|not queryable/)
  const { rows } = await databases.context.server.pool.query(
    'select rolconnlimit as limit from pg_roles where rolname = $1',
    [roleName],
  )
  expect(rows).toEqual([{ limit: 20 }])
})

test("what an owner presets for his database does not hold up another's removal", async () => {
  const leaving = await databases.provision('essential-0')
  const hostile = await databases.provision('essential-0')
  const { roleName } = await databases.row(leaving.addonId)
  const { databaseName, roleName: owner } = await databases.row(hostile.addonId)
  const client = await connect(hostile.url)
  await client.query('create table shared (i int)')
  await client.query(`grant all on shared to ${roleName}`)
  // For a session that takes them as they come, each is enough to fail.
  const presets = [
    'default_transaction_read_only = on',
    `role = '${owner}'`,
    `local_preload_libraries = 'missing'`,
    `search_path = public, pg_catalog`,
    'statement_timeout = 1',
  ]
  for (const preset of presets) await client.query(`alter database ${databaseName} set ${preset}`)
  await remove(leaving.addonId)
  expect(await databases.onServer(leaving.addonId)).toEqual([0, 0])
})

test("an owner who is just granting something does not hold up another's removal", async () => {
  const leaving = await databases.provision('essential-0')
  const hostile = await databases.provision('essential-0')
  const { roleName } = await databases.row(leaving.addonId)
  const client = await connect(hostile.url)
  await client.query('create table shared (i int); create table other (i int)')
  await client.query(`grant all on shared to ${roleName}`)
  await hold(hostile.url, `grant all on shared, other to ${roleName}`)
  const startedMs = Date.now()
  await remove(leaving.addonId)
  expect(await databases.onServer(leaving.addonId)).toEqual([0, 0])
  expect(Date.now() - startedMs).toBeLessThan(10_000)
  await client.query('insert into shared values (1)')
})
