import { expect, test } from 'vitest'
import { silentLog } from '#lib/log.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import {
  beginCreate,
  beginDestroy,
  countRoles,
  create,
  destroy,
  namedCredential,
  parts,
  running,
  userOf,
} from '../../test/support/named-credentials.ts'
import { run, testBackups } from '../../test/support/postgres-backups.ts'
import { connectCustomer } from '../../test/support/postgres-provider.ts'
import { connect, databases, useTestDatabases } from '../../test/support/test-databases.ts'
import { createNamedCredential } from './change-credentials.ts'
import { namedConnectionsMax, namedCredentialsMax } from './limits.ts'
import { checkSizes } from './size-check.ts'
import { cancelTransfer } from './transfers.ts'

const megabyte = 1024 ** 2
const plans = {
  small: { connectionsMax: 12, sizeBytesMax: 100 * megabyte },
  // An empty database has about 7.5 MB.
  tiny: { connectionsMax: 11, sizeBytesMax: 7 * megabyte },
}

useTestDatabases(plans)

const refused = /password authentication failed|not permitted to log in/
const denied = /permission denied/

test('with each step run twice it may connect, what the owner grants, and goes with its sessions', async () => {
  const { addonId, url } = await databases.provision('small')
  const other = await databases.provision('small')
  const owner = await connect(url)
  await owner.query('create table t (i int); insert into t values (1)')
  const named = await create(addonId, 'reports', true)
  const reader = await connect(named)
  for (const sql of [
    'select * from public.t',
    'create table public.t2 (i int)',
    'create schema mine',
  ])
    await expect(reader.query(sql)).rejects.toThrow(denied)
  const elsewhere = new URL(named)
  elsewhere.pathname = new URL(other.url).pathname
  await expect(connectCustomer(elsewhere.href)).rejects.toThrow(denied)

  const role = userOf(named)
  await owner.query(`grant usage, create on schema public to ${role}; grant select on t to ${role}`)
  expect((await reader.query('select i from t')).rows).toEqual([{ i: 1 }])
  await expect(reader.query('delete from t')).rejects.toThrow(denied)
  await reader.query('create table made_by_reader (i int)')
  // What it makes is also the owner's, who is who backs it up.
  await owner.query('select * from made_by_reader')

  await destroy(addonId, 'reports', true)
  await expect(reader.query('select 1')).rejects.toThrow(/terminat|not queryable/)
  await expect(connectCustomer(named)).rejects.toThrow(refused)
  await owner.query('drop table made_by_reader; select * from t')
  expect(await countRoles([role])).toBe(0)
  expect((await databases.row(addonId)).namedRoles).toEqual([])
})

test('a crash ends in all or nothing, and nothing else is changed meanwhile', async () => {
  const { addonId, url } = await databases.provision('small')
  const making = await beginCreate(addonId, 'reports')
  expect(await databases.drive.crashDuringStep(making)).toBe('apply')
  await checkSizes(databases.context, silentLog)
  for (const busy of [() => beginCreate(addonId, 'others'), () => beginDestroy(addonId, 'reports')])
    await expect(busy()).rejects.toMatchObject({ code: ErrorCode.CONFLICT })
  // Its password was good since the crash: a session that keeps the role locked is ended.
  const { url: named } = (await namedCredential(addonId, 'reports')).credential
  const holding = await connect(named)
  await holding.query(`begin; alter role current_user password 'mine'`)
  const ownerHolds = await connect(url)
  await ownerHolds.query(
    `begin; alter database ${new URL(url).pathname.slice(1)} connection limit 7`,
  )
  expect(await databases.drive.finish(making)).toBe('applied')
  await (await connect(named)).query('select 1')

  const removing = await beginDestroy(addonId, 'reports')
  expect(await databases.drive.crashDuringStep(removing)).toBe('apply')
  await checkSizes(databases.context, silentLog)
  expect(await databases.drive.finish(removing)).toBe('applied')
  expect(await countRoles([userOf(named)])).toBe(0)
})

test('a removal of the database takes them along, also one that is being made', async () => {
  const { addonId } = await databases.provision('small')
  const named = await create(addonId, 'reports')
  const making = await beginCreate(addonId, 'more')
  await databases.drive.crashDuringStep(making)
  expect(await databases.requestRemoval(addonId)).toBe(false)
  const { namedRoles } = await databases.row(addonId)
  expect(await countRoles(namedRoles)).toBe(2)
  expect(await databases.drive.finish(making)).toBe('removal wanted')
  expect(await databases.drive.finish(await running(addonId), { twice: true })).toBe('gone')
  expect(await countRoles([userOf(named), ...namedRoles])).toBe(0)
  expect((await databases.row(addonId)).namedRoles).toEqual([])
})

test('a rotation leaves them, a reset lets them in again with nothing, whatever was revoked', async () => {
  const { addonId, url } = await databases.provision('small')
  const named = await create(addonId, 'reports')
  const role = userOf(named)
  const before = await connect(url)
  await before.query(`create table t (i int); grant usage on schema public to ${role}`)
  await before.query(`grant select on t to ${role}`)
  await databases.drive.finish(await databases.requestRotation(addonId))
  // Made in the overlap of a rotation, it is no less.
  const late = await create(addonId, 'late')
  const reader = await connect(named)
  await reader.query('select * from t')
  await databases.drive.finish(await databases.requestRevocation(addonId))
  await reader.query('select * from t')

  const owner = await connect(await databases.urlOf(addonId))
  const { databaseName, roleName } = await databases.row(addonId)
  // Up to PostgreSQL 15 the two of them may do that themselves.
  await databases.context.server.pool.query(`revoke ${role} from ${roleName}`)
  await databases.context.server.pool.query(`grant ${roleName} to ${role}`)
  await owner.query(`revoke connect on database ${databaseName} from ${role}`)
  await reader.query(`alter role current_user password 'mine'`)
  await databases.drive.finish(await databases.requestReset(addonId), { twice: true })
  await expect(reader.query('select 1')).rejects.toThrow(/terminat|not queryable/)
  for (const each of [named, late]) {
    const client = await connect(each)
    await expect(client.query('create table public.mine (i int)')).rejects.toThrow(denied)
  }
})

test('what it owns is backed up, and a restore lets it in again, its things the owner’s', async () => {
  const { addonId, url } = await databases.provision('small')
  const named = await create(addonId, 'reports')
  await run(url, `grant usage, create on schema public to ${userOf(named)}`)
  await run(named, 'create table made as select 1 as i')
  const backups = testBackups(databases)
  const backup = await backups.capture(addonId)
  expect(backup).toMatchObject({ state: 'succeeded', warnings: 0 })
  const session = await connect(named)
  // A restore that comes to nothing leaves its sessions alone.
  const { id, workflowId } = await backups.begin.restore(addonId, backup.id)
  await cancelTransfer(databases.context.pool, await backups.find(id))
  expect(await databases.drive.finish(workflowId)).toBe('ended')
  expect(await backups.find(id)).toMatchObject({ state: 'canceled' })
  await session.query('select 1')
  expect(await backups.restore(addonId, backup.id)).toMatchObject({ state: 'succeeded' })
  await expect(session.query('select 1')).rejects.toThrow(/terminat|not queryable/)
  await expect(run(named, 'select * from public.made')).rejects.toThrow(denied)
  await run(url, 'alter table made add j int')
  expect(await run(url, 'select i from made')).toEqual([{ i: 1 }])
})

test('it is held to the size of its database, and has a limit of its own', async () => {
  const { addonId } = await databases.provision('small')
  const named = await create(addonId, 'reports')
  const limit = async (): Promise<number> => {
    const { rows } = await databases.context.server.pool.query<{ limit: number }>(
      'select rolconnlimit as limit from pg_roles where rolname = $1',
      [userOf(named)],
    )
    return rows[0]?.limit ?? NaN
  }
  const readOnly = async (): Promise<unknown> =>
    (await (await connect(named)).query('show transaction_read_only')).rows[0]
  expect(await limit()).toBe(namedConnectionsMax)
  await databases.drive.finish(await databases.requestPlan(addonId, 'tiny'))
  expect(await readOnly()).toEqual({ transaction_read_only: 'on' })
  await databases.drive.finish(await databases.requestPlan(addonId, 'small'))
  expect(await readOnly()).toEqual({ transaction_read_only: 'off' })
  expect(await limit()).toBe(namedConnectionsMax)
  // It presets nothing for its owner, and is brought into line with him.
  const client = await connect(named)
  const { databaseName } = await databases.row(addonId)
  await client.query(
    `alter role current_user in database ${databaseName} set default_transaction_read_only = on`,
  )
  await checkSizes(databases.context, silentLog)
  expect(await readOnly()).toEqual({ transaction_read_only: 'off' })
  await (await connect(await databases.urlOf(addonId))).query('create table t (i int)')
})

test('names, their number and the room for them have limits that say so', async () => {
  const { addonId } = await databases.provision('small')
  for (const name of ['default', '', 'Reports', 'a b', '1a', 'a\0', `a${'x'.repeat(50)}`, 'ü'])
    await expect(beginCreate(addonId, name)).rejects.toMatchObject({
      code: ErrorCode.INVALID_PARAMS,
      message: expect.stringContaining('hoose another name'),
    })
  await create(addonId, 'c-0')
  await expect(beginCreate(addonId, 'c-0')).rejects.toMatchObject({ code: ErrorCode.CONFLICT })
  await expect(beginDestroy(addonId, 'none')).rejects.toMatchObject({ code: ErrorCode.NOT_FOUND })
  const full = { ...parts(), context: { ...databases.context, connectionsForSale: 0 } }
  await expect(createNamedCredential(full, { addonId, name: 'more' })).rejects.toMatchObject({
    code: ErrorCode.UNAVAILABLE,
    message: expect.stringContaining('do not fit'),
  })
  for (let n = 1; n < namedCredentialsMax; n++) await create(addonId, `c-${n}`)
  await expect(beginCreate(addonId, 'more')).rejects.toMatchObject({
    code: ErrorCode.INVALID_PARAMS,
    message: expect.stringContaining('which is the most'),
  })
})
