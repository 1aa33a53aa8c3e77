import type pg from 'pg'
import { expect, test } from 'vitest'
import type { AddonId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { eventually } from '../../test/support/eventually.ts'
import { connect, databases, useTestDatabases } from '../../test/support/test-databases.ts'
import { assertFits } from './databases.ts'
import { observeSizes, withDatabaseLock } from './server-admin.ts'
import { checkSizes } from './size-check.ts'

const megabyte = 1024 ** 2
// An empty database has about 7.5 MB.
const plans = {
  small: { connectionsMax: 3, sizeBytesMax: 12 * megabyte },
  large: { connectionsMax: 6, sizeBytesMax: 60 * megabyte },
}

useTestDatabases(plans)

const connectTimes = async (url: string, times: number): Promise<pg.Client[]> => {
  const opened: pg.Client[] = []
  for (let i = 0; i < times; i++) opened.push(await connect(url))
  return opened
}

const change = async (addonId: AddonId, plan: keyof typeof plans): Promise<void> => {
  await databases.drive.finish(await databases.requestPlan(addonId, plan))
}

const check = (): Promise<void> => checkSizes(databases.context, silentLog)

const fill = async (client: pg.Client, megabytes: number): Promise<void> => {
  await client.query('create table big (i int, text text)')
  await client.query(
    `insert into big select i, repeat('x', 970) from generate_series(1, $1::int) i`,
    [megabytes * 1024],
  )
}

/** Asks without a pause until it is stopped; answers how often, or throws what failed. */
function keepAsking(client: pg.Client): () => Promise<number> {
  let stopped = false
  const asking = (async () => {
    let answers = 0
    while (!stopped) {
      await client.query('insert into visits values (1)')
      answers++
    }
    return answers
  })()
  asking.catch(() => undefined)
  return () => {
    stopped = true
    return asking
  }
}

test('the limits of a plan hold at once, up and down, and whoever is at work notices nothing', async () => {
  const { url, addonId } = await databases.provision('small')
  const [worker, ...others] = await connectTimes(url, 3)
  await worker?.query('create table visits (i int)')
  await expect(connect(url)).rejects.toThrow(/too many connections/)
  const stop = worker && keepAsking(worker)

  await change(addonId, 'large')
  await check()
  others.push(...(await connectTimes(url, 3)))
  await expect(connect(url)).rejects.toThrow(/too many connections/)

  await change(addonId, 'small')
  await check()
  // Those beyond the smaller number stay; new ones come when there are fewer than it.
  for (const client of others) await client.query('select 1')
  await expect(connect(url)).rejects.toThrow(/too many connections/)
  await Promise.all(others.splice(0, 4).map((client) => client.end()))
  await eventually(() => connect(url))
  await expect(connect(url)).rejects.toThrow(/too many connections/)
  expect(await stop?.()).toBeGreaterThan(10)
})

test('before its plan change is carried out, the size check ends no session for it either', async () => {
  const { url, addonId } = await databases.provision('large')
  const [client] = await connectTimes(url, 5)
  const workflowId = await databases.requestPlan(addonId, 'small')
  await check()
  await client?.query('select 1')
  await expect(connect(url)).rejects.toThrow(/too many connections/)
  await databases.drive.finish(workflowId)
  await client?.query('select 1')
})

test('a size check that looked before the change does not set the old limits again', async () => {
  const { addonId } = await databases.provision('small')
  const { server } = databases.context
  const { databaseName, roleName } = await databases.row(addonId)
  await server.pool.query(`alter role ${roleName} connection limit 2`)
  let checking: Promise<void> | undefined
  await withDatabaseLock(server, databaseName, async () => {
    checking = check()
    await eventually(async () => {
      const { rowCount } = await server.watch.query(
        `select from pg_stat_activity where wait_event = 'advisory'
         and query like 'select pg_advisory_lock(%'`,
      )
      expect(rowCount).toBeGreaterThan(0)
    })
    await databases.requestPlan(addonId, 'large')
  })
  await checking
  const [seen] = await observeSizes(server.pool, [await databases.row(addonId)])
  expect(seen?.connectionsMax).toBe(6)
})

test.each([
  ['over', 6],
  ['far-over', 12],
])('a database that is read-only because it is %s writes again at once', async (state, size) => {
  const { url, addonId } = await databases.provision('small')
  await fill(await connect(url), size)
  await check()
  expect((await databases.row(addonId)).sizeState).toBe(state)
  const before = await connect(url)
  await expect(before.query('delete from big')).rejects.toThrow(/read-only transaction/)

  await change(addonId, 'large')
  expect(await databases.row(addonId)).toMatchObject({ sizeState: 'fits', strikes: 0 })
  // One that began read-only would stay so: it is ended.
  await expect(before.query('select 1')).rejects.toThrow(/terminat|not queryable/)
  const [after] = await connectTimes(url, 6)
  await after?.query('insert into big select * from big')
  await check()
  await after?.query('insert into big values (1)')
})

test('an owner that wants its database read-only keeps it so', async () => {
  const { url, addonId } = await databases.provision('small')
  const owner = await connect(url)
  const { databaseName } = await databases.row(addonId)
  await owner.query(
    `alter role current_user in database ${databaseName} set default_transaction_read_only = on`,
  )
  await change(addonId, 'large')
  const next = await connect(url)
  await expect(next.query('create table t (i int)')).rejects.toThrow(/read-only transaction/)
})

test('an owner who keeps his role locked does not hold up the change', async () => {
  const { url, addonId } = await databases.provision('small')
  const holding = await connect(url)
  await holding.query('begin')
  await holding.query(`alter role current_user set work_mem = '1MB'`)
  await holding.query(`alter role current_user password 'other'`)
  await databases.drive.step(await databases.requestPlan(addonId, 'large'))
  const [seen] = await observeSizes(databases.context.server.pool, [await databases.row(addonId)])
  expect(seen?.connectionsMax).toBe(6)
})

test('a plan that the data does not fit is refused with the numbers, until it does', async () => {
  const { url, addonId } = await databases.provision('large')
  const client = await connect(url)
  await fill(client, 20)
  const fits = async (plan: string): Promise<void> =>
    assertFits(databases.context, await databases.row(addonId), plan)
  await expect(fits('small')).rejects.toMatchObject({
    code: ErrorCode.INVALID_PARAMS,
    message: expect.stringMatching(
      /^The database is (2[789]|3\d)(\.\d+)? MB large, and the plan "small" holds 12 MB\. .* VACUUM FULL/,
    ),
  })
  await client.query('delete from big')
  await client.query('vacuum full big')
  await fits('small')
})
