import { expect, test } from 'vitest'
import type { AddonId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import {
  beginDestroy,
  countRoles,
  create,
  destroy,
  namedCredential,
  running,
  userOf,
} from '../../test/support/named-credentials.ts'
import { connectCustomer } from '../../test/support/postgres-provider.ts'
import { connect, databases, useTestDatabases } from '../../test/support/test-databases.ts'
import { namedConnectionsMax } from './limits.ts'
import { checkSizes } from './size-check.ts'

useTestDatabases({ small: { connectionsMax: 12, sizeBytesMax: 100 * 1024 ** 2 } })

const ended = /terminat|not queryable/
const refused = /password authentication failed|not permitted to log in/

const urlOf = async (addonId: AddonId, name: string): Promise<string> =>
  (await namedCredential(addonId, name)).credential.url

async function rotate(addonId: AddonId, credential: string, twice = false): Promise<string> {
  const workflow = await databases.requestRotation(addonId, credential)
  expect(await databases.drive.finish(workflow, { twice })).toBe('rotated')
  return urlOf(addonId, credential || 'reports')
}

async function revoke(addonId: AddonId, twice = false): Promise<void> {
  const workflow = await databases.requestRevocation(addonId)
  expect(await databases.drive.finish(workflow, { twice })).toBe('revoked')
}

/** A database with a table that its credential "reports" may read, and make others beside. */
async function shared() {
  const { addonId, url } = await databases.provision('small')
  const named = await create(addonId, 'reports')
  const owner = await connect(url)
  await owner.query(`create table t as select 1 as i;
    grant usage, create on schema public to ${userOf(named)};
    grant select on t to ${userOf(named)}`)
  return { addonId, url, owner, named }
}

test('with each step run twice both have what was granted, then one is left; the owner’s stays', async () => {
  const { addonId, url, owner, named } = await shared()
  const before = await connect(named)
  const newUrl = await rotate(addonId, 'reports', true)
  expect(userOf(newUrl)).not.toBe(userOf(named))
  const [old, fresh] = [await connect(named), await connect(newUrl)]
  for (const client of [before, old, fresh])
    expect((await client.query('select i from t')).rows).toEqual([{ i: 1 }])
  await old.query('create table made_by_old (i int)')
  await fresh.query('alter table made_by_old add j int')
  await old.query('set role none; create table made_by_second (i int)')
  const { credential } = await namedCredential(addonId, 'reports')
  expect(credential.former?.user).toBe(userOf(named))
  const { rows } = await databases.context.server.pool.query(
    'select rolconnlimit as limit from pg_roles where rolname = any($1)',
    [[userOf(named), userOf(newUrl)]],
  )
  expect(rows).toEqual([{ limit: namedConnectionsMax }, { limit: namedConnectionsMax }])

  await revoke(addonId, true)
  for (const client of [before, old]) await expect(client.query('select 1')).rejects.toThrow(ended)
  await expect(connectCustomer(named)).rejects.toThrow(refused)
  await fresh.query('select i from t; alter table made_by_second add j int')
  // What it makes is the owner's as before, and the owner's own credential is what it was.
  await owner.query('select * from made_by_second; select * from made_by_old')
  await (await connect(url)).query('select 1')
  expect((await namedCredential(addonId, 'reports')).credential.former).toBeUndefined()
  expect((await databases.row(addonId)).namedRoles).toEqual([userOf(newUrl)])
  await destroy(addonId, 'reports')
  expect(await countRoles([userOf(named), userOf(newUrl)])).toBe(0)
})

test('all at once are the owner’s and every named one', async () => {
  const { addonId, url, named } = await shared()
  const other = await create(addonId, 'others')
  const newUrl = await rotate(addonId, '')
  const all = [url, named, other]
  const fresh = [await databases.urlOf(addonId), newUrl, await urlOf(addonId, 'others')]
  expect(new Set([...all, ...fresh].map(userOf)).size).toBe(6)
  for (const each of [...all, ...fresh]) await (await connect(each)).query('select 1')
  await revoke(addonId, true)
  for (const each of all) await expect(connectCustomer(each)).rejects.toThrow(refused)
  for (const each of fresh) await (await connect(each)).query('select 1')
  await (await connect(newUrl)).query('select i from t')
})

test('whoever had the former credential keeps nothing of it', async () => {
  const { addonId, named } = await shared()
  const stranger = await databases.provision('small')
  const { roleName } = await databases.row(stranger.addonId)
  const newUrl = await rotate(addonId, 'reports')
  const old = await connect(named)
  // As the role he may do that himself up to PostgreSQL 15.
  await databases.context.server.pool.query(`grant ${userOf(newUrl)} to ${roleName}`)
  await old.query(`alter role current_user password 'mine'`)
  const mine = new URL(newUrl)
  mine.password = 'mine'
  const thief = await connect(mine.href)
  await revoke(addonId)
  await expect(thief.query('select 1')).rejects.toThrow(ended)
  await expect(connectCustomer(mine.href)).rejects.toThrow(refused)
  await (await connect(newUrl)).query('select i from t')
  const { rows } = await databases.context.server.pool.query(
    `select member::regrole::text as member from pg_auth_members
     where roleid = $1::regrole order by 1`,
    [userOf(newUrl)],
  )
  const { roleName: owner } = await databases.row(addonId)
  expect(rows).toEqual([{ member: owner }])
})

test('a crash at each step ends in what is written down, and nothing of it is destroyed meanwhile', async () => {
  const { addonId, named } = await shared()
  const rotation = await databases.requestRotation(addonId, 'reports')
  expect(await databases.drive.crashDuringStep(rotation)).toBe('split-login')
  await checkSizes(databases.context, silentLog)
  await (await connect(named)).query('select i from t')
  expect(await databases.drive.finish(rotation)).toBe('rotated')
  await expect(beginDestroy(addonId, 'reports')).rejects.toMatchObject({
    code: ErrorCode.CONFLICT,
    message: expect.stringContaining('--name reports --force'),
  })
  const newUrl = await urlOf(addonId, 'reports')
  const revocation = await databases.requestRevocation(addonId)
  for (const step of ['close-former', 'drop-former']) {
    expect(await databases.drive.crashDuringStep(revocation)).toBe(step)
    await checkSizes(databases.context, silentLog)
    await databases.drive.step(revocation)
  }
  await (await connect(newUrl)).query('select i from t')
  expect(await countRoles([userOf(named)])).toBe(0)
})

test('a removal of the database takes both along', async () => {
  const { addonId, named } = await shared()
  const newUrl = await rotate(addonId, 'reports')
  expect(await countRoles([userOf(named), userOf(newUrl)])).toBe(2)
  await databases.requestRemoval(addonId)
  expect(await databases.drive.finish(await running(addonId), { twice: true })).toBe('gone')
  expect(await countRoles([userOf(named), userOf(newUrl)])).toBe(0)
})

test('one that there is not is refused', async () => {
  const { addonId } = await databases.provision('small')
  await expect(databases.requestRotation(addonId, 'none')).rejects.toMatchObject({
    code: ErrorCode.INVALID_PARAMS,
    message: expect.stringContaining('no credential "none"'),
  })
})

test('whoever had the owner’s former credential keeps no named one either, nor shuts anybody out', async () => {
  const { addonId, url, named } = await shared()
  const thief = await connect(url)
  await thief.query(`alter role current_user set local_preload_libraries = 'plugins/none'`)
  await thief.query(`set role ${userOf(named)}; alter role current_user password 'mine'`)
  const mine = new URL(named)
  mine.password = 'mine'
  const session = await connect(mine.href)
  await session.query(`alter role current_user set local_preload_libraries = 'plugins/none'`)
  await databases.drive.finish(await databases.requestRotation(addonId))
  await revoke(addonId, true)
  await expect(session.query('select 1')).rejects.toThrow(ended)
  await expect(connectCustomer(mine.href)).rejects.toThrow(refused)
  await (await connect(named)).query('select i from t')
  await (await connect(await databases.urlOf(addonId))).query('select i from t')
})
