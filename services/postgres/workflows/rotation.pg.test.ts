import type pg from 'pg'
import { expect, test } from 'vitest'
import type { AddonId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { connectCustomer } from '../../../test/support/postgres-provider.ts'
import { connect, databases, useTestDatabases } from '../../../test/support/test-databases.ts'
import { createUseObserver } from '../database-use.ts'
import { emptyDatabase } from '../reset.ts'
import { checkSizes } from '../size-check.ts'

const megabyte = 1024 ** 2
const plans = {
  small: { connectionsMax: 4, sizeBytesMax: 100 * megabyte },
  // An empty database has about 7.5 MB.
  tiny: { connectionsMax: 3, sizeBytesMax: 7 * megabyte },
}

useTestDatabases(plans)

async function rotate(addonId: AddonId, options?: { twice: boolean }): Promise<string> {
  const workflow = await databases.requestRotation(addonId)
  expect(await databases.drive.finish(workflow, options)).toBe('rotated')
  return databases.urlOf(addonId)
}

async function revoke(addonId: AddonId, options?: { twice: boolean }): Promise<void> {
  const workflow = await databases.requestRevocation(addonId)
  expect(await databases.drive.finish(workflow, options)).toBe('revoked')
}

const ended = /terminat|not queryable/
const refused = /password authentication failed|not permitted to log in/

/** Whatever one of the two makes, the other may use and change. */
async function expectSameRights(first: pg.Client, second: pg.Client): Promise<void> {
  for (const [maker, user] of [
    [first, second],
    [second, first],
  ] as const) {
    await maker.query('create schema inner_one; create table inner_one.t (i serial)')
    await user.query('insert into inner_one.t default values; alter table inner_one.t add j int')
    await user.query('drop schema inner_one cascade')
  }
}

/**
 * One role, the owner of everything, with one password, as in a database that was never rotated.
 */
async function expectAsNew(addonId: AddonId, url: string): Promise<void> {
  const { roleName, databaseName, formerRoleName } = await databases.row(addonId)
  expect(formerRoleName).toBeNull()
  expect(await databases.onServer(addonId)).toEqual([1, 1])
  const { rows } = await databases.context.server.pool.query(
    `select r.rolcanlogin as login, r.rolconnlimit as connections, r.rolname as owner,
       (select count(*)::int from pg_auth_members where roleid = r.oid or member = r.oid) as members
     from pg_database d join pg_roles r on r.oid = d.datdba where d.datname = $1`,
    [databaseName],
  )
  expect(rows).toEqual([
    { login: true, connections: plans.small.connectionsMax, owner: roleName, members: 0 },
  ])
  const client = await connect(url)
  const { rows: who } = await client.query('select session_user::text, current_user::text')
  expect(who).toEqual([{ session_user: roleName, current_user: roleName }])
}

test('with each step run twice both credentials have the same rights, then one is left', async () => {
  const { addonId, url } = await databases.provision('small')
  const before = await connect(url)
  await before.query('create table kept (i int)')
  await before.query(`alter role current_user set search_path = "$user", public, other`)
  const newUrl = await rotate(addonId, { twice: true })
  expect(newUrl).not.toBe(url)
  expect(new URL(newUrl).username).not.toBe(new URL(url).username)

  const [old, fresh] = [await connect(url), await connect(newUrl)]
  for (const client of [old, fresh])
    expect((await client.query('show search_path')).rows).toEqual([
      { search_path: '"$user", public, other' },
    ])
  await expectSameRights(old, fresh)
  await expectSameRights(before, fresh)
  // A session of the second role can also be that role, and owns what it makes then.
  await old.query('set role none')
  await old.query('create table made_by_second (i int)')
  const row = await databases.row(addonId)
  const observe = createUseObserver(databases.context)
  expect(await observe(row)).toMatchObject({ connections: 3, formerConnections: 2 })

  await revoke(addonId, { twice: true })
  for (const client of [before, old]) await expect(client.query('select 1')).rejects.toThrow(ended)
  await fresh.query('insert into kept values (1); alter table made_by_second add j int')
  await expect(connectCustomer(url)).rejects.toThrow(refused)
  await expectAsNew(addonId, newUrl)

  const third = await rotate(addonId)
  await (await connect(newUrl)).query('select * from kept')
  await revoke(addonId)
  await expectAsNew(addonId, third)
})

test('a crash at each step ends in what is written down', async () => {
  const { addonId, url } = await databases.provision('small')
  const rotation = await databases.requestRotation(addonId)
  expect(await databases.drive.crashDuringStep(rotation)).toBe('split-login')
  // What else looks at the database meanwhile finds who is there.
  await checkSizes(databases.context, silentLog)
  await (await connect(url)).query('select 1')
  expect(await databases.drive.finish(rotation)).toBe('rotated')
  const newUrl = await databases.urlOf(addonId)
  const client = await connect(newUrl)
  const revocation = await databases.requestRevocation(addonId)
  for (const step of ['close-former', 'drop-former']) {
    expect(await databases.drive.crashDuringStep(revocation)).toBe(step)
    await checkSizes(databases.context, silentLog)
    await databases.drive.step(revocation)
  }
  await client.query('select 1')
  await expectAsNew(addonId, newUrl)
})

test('a removal wanted before or during each step leaves nothing', async () => {
  for (const [wantedIn, crashed] of [
    ['rotation', false],
    ['rotation', true],
    ['overlap', false],
    ['revocation', false],
    ['revocation', true],
  ] as const) {
    const { addonId } = await databases.provision('small')
    const { roleName } = await databases.row(addonId)
    let workflow = await databases.requestRotation(addonId)
    if (wantedIn !== 'rotation') await databases.drive.finish(workflow)
    if (wantedIn === 'revocation') workflow = await databases.requestRevocation(addonId)
    if (crashed) await databases.drive.crashDuringStep(workflow)
    const { databaseName, roleName: newName } = await databases.row(addonId)
    const result = (await databases.requestRemoval(addonId))
      ? undefined
      : await databases.drive.finish(workflow)
    expect([wantedIn, result]).toEqual([
      wantedIn,
      wantedIn === 'overlap' ? undefined : 'removal wanted',
    ])
    const removal = await getRunningWorkflow(databases.context.pool, addonId)
    expect(await databases.drive.finish(removal?.id ?? '')).toBe('gone')
    const { rows } = await databases.context.server.pool.query(
      `select rolname from pg_roles where rolname = any($1)
       union all select datname from pg_database where datname = $2`,
      [[roleName, newName], databaseName],
    )
    expect([wantedIn, rows]).toEqual([wantedIn, []])
    expect(await databases.row(addonId)).toMatchObject({ password: null, formerPassword: null })
  }
})

test('while both are good the plan changes for both, the size holds both, and nothing is emptied', async () => {
  const { addonId, url } = await databases.provision('small')
  const newUrl = await rotate(addonId)
  await databases.drive.finish(await databases.requestPlan(addonId, 'tiny'))
  for (const each of [url, newUrl]) {
    const client = await connect(each)
    await expect(client.query('create table t (i int)')).rejects.toThrow('read-only')
    const { rows } = await client.query('show temp_file_limit')
    expect(rows).toEqual([{ temp_file_limit: '717kB' }])
  }
  const { rows } = await databases.context.server.pool.query<{ limit: number }>(
    'select rolconnlimit as limit from pg_roles where rolname = any($1)',
    [[new URL(url).username, new URL(newUrl).username]],
  )
  expect(rows.map(({ limit }) => limit)).toEqual([3, 3])
  const context = { pool: databases.context.pool, runner: databases.idle }
  await expect(emptyDatabase(context, addonId)).rejects.toMatchObject({
    code: ErrorCode.CONFLICT,
    message: expect.stringContaining('being rotated'),
  })
  await databases.drive.finish(await databases.requestPlan(addonId, 'small'))
  await (await connect(url)).query('create table t (i int)')
  await revoke(addonId)
  await expectAsNew(addonId, newUrl)
})

test('whoever had the former credential keeps nothing of it, whatever he did as the owner', async () => {
  const { addonId, url } = await databases.provision('small')
  const accomplice = await databases.provision('small')
  const { roleName: other } = await databases.row(accomplice.addonId)
  const { databaseName } = await databases.row(addonId)
  const before = await connect(url)
  const { roleName: owner } = await databases.row(addonId)
  // Up to PostgreSQL 14 an owner may do that himself.
  await databases.context.server.pool.query(`grant ${owner} to ${other}`)
  const newUrl = await rotate(addonId)
  const { roleName: renamed } = await databases.row(addonId)
  await before.query(`alter role ${renamed} password 'mine'`)
  const mine = new URL(newUrl)
  mine.password = 'mine'
  const thief = await connect(mine.href)
  await thief.query('set idle_in_transaction_session_timeout = 0')
  await thief.query(`begin; alter role ${renamed} password 'again'`)
  const guestUrl = new URL(accomplice.url)
  guestUrl.pathname = `/${databaseName}`
  const guest = await connect(guestUrl.href)

  await revoke(addonId, { twice: true })
  for (const client of [before, thief, guest])
    await expect(client.query('select 1')).rejects.toThrow(ended)
  await expect(connectCustomer(url)).rejects.toThrow(refused)
  await expect(connectCustomer(mine.href)).rejects.toThrow(refused)
  await expect(connectCustomer(guestUrl.href)).rejects.toThrow(/permission denied/)
  await expectAsNew(addonId, newUrl)
})

test('an owner who keeps his role locked, or has no connection left, holds up neither', async () => {
  const { addonId, url } = await databases.provision('small')
  const all = []
  for (let n = 0; n < plans.small.connectionsMax; n++) all.push(await connect(url))
  const [holding] = all
  await holding?.query('set idle_in_transaction_session_timeout = 0')
  await holding?.query(`begin; alter role current_user password 'other'`)
  const startedMs = Date.now()
  const newUrl = await rotate(addonId)
  expect(Date.now() - startedMs).toBeLessThan(3_000)
  await all[1]?.query('select 1')
  await revoke(addonId)
  await eventually(() => expectAsNew(addonId, newUrl))
})

test('whom the owner has let in is let out, for it may have been who knew the former credential', async () => {
  const { addonId, url } = await databases.provision('small')
  const { databaseName } = await databases.row(addonId)
  const stranger = await databases.provision('small')
  const { roleName } = await databases.row(stranger.addonId)
  const owner = await connect(url)
  await owner.query(`grant connect on database ${databaseName} to ${roleName}`)
  const inHere = stranger.url.replace(/[^/]+$/, databaseName)
  const inside = await connect(inHere)
  await rotate(addonId)
  await revoke(addonId)
  await expect(inside.query('select 1')).rejects.toThrow(ended)
  await expect(connect(inHere)).rejects.toThrow('permission denied')
  expect((await (await connect(stranger.url)).query('select 1')).rowCount).toBe(1)
})
