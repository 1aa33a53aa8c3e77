import type pg from 'pg'
import { expect, test } from 'vitest'
import { transaction } from '#lib/postgres.ts'
import { silentLog } from '#lib/log.ts'
import { connect, databases, useTestDatabases } from '../../test/support/test-databases.ts'
import { trySizeCheckLock } from './databases-db.ts'
import { checkSizes } from './size-check.ts'

const megabyte = 1024 ** 2
// An empty database has about 7.5 MB.
const plans = {
  tiny: { connectionsMax: 4, sizeBytesMax: 12 * megabyte },
}

useTestDatabases(plans)

const check = (): Promise<void> => checkSizes(databases.context, silentLog)

/** A table of about that many megabytes that compression does not shrink. */
const fill = async (client: pg.Client, table: string, megabytes: number): Promise<void> => {
  await client.query(`create table ${table} (i int, text text)`)
  await client.query(
    `insert into ${table} select i, repeat('x', 970) from generate_series(1, $1::int) i`,
    [megabytes * 1024],
  )
}

test('over its size a database is read-only, can be cleaned up, and is then as before', async () => {
  const { url, addonId } = await databases.provision('tiny')
  const before = await connect(url)
  await fill(before, 'big', 6)
  await check()
  expect((await databases.row(addonId)).sizeState).toBe('over')
  await expect(before.query('select 1')).rejects.toThrow(/terminat|not queryable/)

  const after = await connect(url)
  expect((await after.query('select count(*)::int as count from big')).rows).toEqual([
    { count: 6 * 1024 },
  ])
  await expect(after.query('insert into big values (1)')).rejects.toThrow(/read-only transaction/)

  await after.query('begin; set transaction read write; drop table big; commit')
  await check()
  expect((await databases.row(addonId)).sizeState).toBe('fits')
  const again = await connect(url)
  await again.query('create table small (i int)')
})

test('a role that lifts read-only for itself is set back at the next look', async () => {
  const { url, addonId } = await databases.provision('tiny')
  const { roleName, databaseName } = await databases.row(addonId)
  await fill(await connect(url), 'big', 6)
  await check()
  const cheating = await connect(url)
  await cheating.query('set default_transaction_read_only = off')
  await cheating.query(`alter role ${roleName} set default_transaction_read_only = off`)
  await cheating.query(
    `alter role ${roleName} in database ${databaseName} set default_transaction_read_only = off`,
  )
  await check()
  await expect(cheating.query('select 1')).rejects.toThrow(/terminat|not queryable/)
  const next = await connect(url)
  await expect(next.query('insert into big values (1)')).rejects.toThrow(/read-only transaction/)
})

test('far over its size it has one connection, and growing further closes it for a time', async () => {
  const { url, addonId } = await databases.provision('tiny')
  await fill(await connect(url), 'big', 12)
  await check()
  expect((await databases.row(addonId)).sizeState).toBe('far-over')
  const only = await connect(url)
  await expect(connect(url)).rejects.toThrow(/too many connections/)

  await only.query('set default_transaction_read_only = off')
  await fill(only, 'more', 2)
  await check()
  await expect(only.query('select 1')).rejects.toThrow(/terminat|not queryable/)
  await expect(connect(url)).rejects.toThrow(/too many connections/)
  expect((await databases.row(addonId)).strikes).toBe(1)

  // Its time passes.
  await databases.context.pool.query(
    'update databases set closed_until = now() where addon_id = $1',
    [addonId],
  )
  await check()
  const cleaning = await connect(url)
  await cleaning.query('set default_transaction_read_only = off')
  await cleaning.query('delete from big')
  await cleaning.query('drop table more')
  await cleaning.query('vacuum full big')
  await check()
  const free = [await connect(url), await connect(url)]
  await free[1]?.query('insert into big values (1)')
  expect(await databases.row(addonId)).toMatchObject({ sizeState: 'fits', strikes: 0 })
})

test('an owner that wants its database read-only keeps it so', async () => {
  const { url, addonId } = await databases.provision('tiny')
  const { roleName, databaseName } = await databases.row(addonId)
  const owner = await connect(url)
  await owner.query(
    `alter role ${roleName} in database ${databaseName} set default_transaction_read_only = on`,
  )
  await check()
  await owner.query('select 1')
  const next = await connect(url)
  await expect(next.query('create table t (i int)')).rejects.toThrow(/read-only transaction/)
})

test('of several processes one looks, and one database that is missing hinders no other', async () => {
  const missing = await databases.provision('tiny')
  const { url, addonId } = await databases.provision('tiny')
  await databases.context.server.pool.query(
    `drop database ${(await databases.row(missing.addonId)).databaseName}`,
  )
  await fill(await connect(url), 'big', 6)
  await transaction(databases.context.pool, async (tx) => {
    expect(await trySizeCheckLock(tx)).toBe(true)
    await check()
    expect((await databases.row(addonId)).sizeState).toBe('fits')
  })
  await check()
  expect((await databases.row(addonId)).sizeState).toBe('over')
})
