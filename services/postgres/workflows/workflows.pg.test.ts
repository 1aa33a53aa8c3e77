import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import type { AddonId } from '#lib/ids.ts'
import { transaction } from '#lib/postgres.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { getRunningWorkflow, raiseWish } from '#lib/workflow/workflows-db.ts'
import {
  connectCustomer,
  openTestDatabases,
  type TestDatabases,
} from '../../../test/support/postgres-provider.ts'
import { driveWorkflows } from '../../../test/support/workflow-suite.ts'
import { deprovisionDatabase } from './deprovision.ts'
import { provisionDatabase } from './provision.ts'

let databases: TestDatabases

beforeAll(async () => {
  databases = await openTestDatabases(inject('engines'))
})

afterAll(() => databases.close())

const requestRemoval = (addonId: AddonId): Promise<string> =>
  transaction(databases.context.pool, async (tx) => {
    await databases.table.wantRemoval(tx, addonId)
    return startWorkflow(tx, deprovisionDatabase, addonId)
  })

/**
 * The wish alone, as it comes while the provision workflow runs; answers what ends in its place.
 */
async function wishRemoval(addonId: AddonId): Promise<void> {
  await transaction(databases.context.pool, async (tx) => {
    await raiseWish(tx, addonId, 'deprovision')
    await databases.table.wantRemoval(tx, addonId)
  })
}

async function finishRemoval(addonId: AddonId): Promise<void> {
  const workflow = await getRunningWorkflow(databases.context.pool, addonId)
  expect(workflow?.kind).toBe('deprovision-database')
  expect(await databases.drive.finish(workflow?.id ?? '')).toBe('gone')
}

async function login(addonId: AddonId): Promise<void> {
  const client = await connectCustomer(await databases.urlOf(addonId))
  await client.query('create table t (i int)')
  await client.end()
}

test('provision: each step run twice changes nothing more', async () => {
  const { addonId, workflowId } = await databases.request('essential-0')
  expect(await databases.drive.finish(workflowId, { twice: true })).toBe('ready')
  expect(await databases.onServer(addonId)).toEqual([1, 1])
  expect((await databases.row(addonId)).state).toBe('ready')
  await login(addonId)
})

test('provision: a crash at each step ends in one database and one role', async () => {
  const steps = Object.keys(provisionDatabase.steps)
  for (const crashAt of steps) {
    const { addonId, workflowId } = await databases.request('essential-0')
    for (const step of steps) {
      if (step === crashAt) break
      expect(await databases.drive.step(workflowId)).toBe(step)
    }
    expect(await databases.drive.crashDuringStep(workflowId)).toBe(crashAt)
    expect(await databases.drive.finish(workflowId)).toBe('ready')
    expect(await databases.onServer(addonId)).toEqual([1, 1])
    await login(addonId)
  }
})

test('provision: a removal wanted before any step ends in nothing', async () => {
  const steps = Object.keys(provisionDatabase.steps)
  for (const wantedAt of steps) {
    const { addonId, workflowId } = await databases.request('essential-0')
    for (const step of steps) {
      if (step === wantedAt) break
      await databases.drive.step(workflowId)
    }
    await wishRemoval(addonId)
    expect(await databases.drive.finish(workflowId)).toBe('removal wanted')
    await finishRemoval(addonId)
    expect(await databases.onServer(addonId)).toEqual([0, 0])
  }
})

test('provision: a removal wanted during the last step is not lost', async () => {
  const { addonId, workflowId } = await databases.request('essential-0')
  const { pool, server } = databases.context
  const overtaken = {
    ...databases.context,
    server: {
      ...server,
      tryLogin: async (login: Parameters<typeof server.tryLogin>[0]) => {
        await server.tryLogin(login)
        await wishRemoval(addonId)
      },
    },
  }
  const drive = driveWorkflows({ pool, workflows: [provisionDatabase], context: overtaken })
  await drive.finish(workflowId)
  expect((await databases.row(addonId)).state).not.toBe('ready')
  await finishRemoval(addonId)
  expect(await databases.onServer(addonId)).toEqual([0, 0])
})

test('deprovision: each step run twice changes nothing more', async () => {
  const { addonId } = await databases.provision('essential-0')
  const removal = await requestRemoval(addonId)
  expect(await databases.drive.finish(removal, { twice: true })).toBe('gone')
  expect(await databases.onServer(addonId)).toEqual([0, 0])
  const row = await databases.row(addonId)
  expect(row).toMatchObject({ state: 'deprovisioned', password: null })
})

test('deprovision: a crash at each step ends with nothing left', async () => {
  // What makes a final snapshot is passed over in an empty database: see backups.pg.test.ts.
  const steps = ['mark', 'close-role', 'look-inside', 'drop-database', 'drop-role', 'forget']
  for (const crashAt of steps) {
    const { addonId } = await databases.provision('essential-0')
    const removal = await requestRemoval(addonId)
    for (const step of steps) {
      if (step === crashAt) break
      expect(await databases.drive.step(removal)).toBe(step)
    }
    expect(await databases.drive.crashDuringStep(removal)).toBe(crashAt)
    expect(await databases.drive.finish(removal)).toBe('gone')
    expect(await databases.onServer(addonId)).toEqual([0, 0])
    expect((await databases.row(addonId)).password).toBeNull()
  }
})

test('deprovision: sessions of the customer are ended, also with work in progress', async () => {
  const { addonId, url } = await databases.provision('essential-0')
  const client = await connectCustomer(url)
  await client.query('begin')
  await client.query('create table t (i int)')
  await databases.drive.finish(await requestRemoval(addonId))
  expect(await databases.onServer(addonId)).toEqual([0, 0])
  await expect(client.query('select 1')).rejects.toThrow(/terminat|not queryable/)
})

/** An owner closes its database to everybody; from inside of it that is not allowed. */
async function closeFromOutside(
  closing: { addonId: AddonId; url: string },
  host: { addonId: AddonId; url: string },
): Promise<void> {
  const closed = await databases.row(closing.addonId)
  const outside = await databases.row(host.addonId)
  const client = await connectCustomer(host.url)
  await client.query(`grant connect on database ${outside.databaseName} to ${closed.roleName}`)
  await client.end()
  const url = new URL(closing.url)
  url.pathname = `/${outside.databaseName}`
  const guest = await connectCustomer(url.href)
  await guest.query(`alter database ${closed.databaseName} allow_connections false`)
  await guest.end()
}

test('deprovision: rights that another add-on granted the role do not hold it back', async () => {
  const granting = await databases.provision('essential-0')
  const leaving = await databases.provision('essential-0')
  const { roleName } = await databases.row(leaving.addonId)
  const { databaseName } = await databases.row(granting.addonId)
  const client = await connectCustomer(granting.url)
  await client.query('create table shared (i int)')
  await client.query(`grant select on shared to ${roleName}`)
  await client.query(`grant connect on database ${databaseName} to ${roleName}`)
  await client.query(`alter default privileges grant select on tables to ${roleName}`)
  await closeFromOutside(granting, leaving)
  await databases.drive.finish(await requestRemoval(leaving.addonId))
  expect(await databases.onServer(leaving.addonId)).toEqual([0, 0])
  await client.query('insert into shared values (1)')
  await client.end()
})

test('deprovision: a database that its owner declared a template goes as well', async () => {
  const { addonId, url } = await databases.provision('essential-0')
  const { databaseName } = await databases.row(addonId)
  const client = await connectCustomer(url)
  await client.query(`alter database ${databaseName} is_template true`)
  await databases.drive.finish(await requestRemoval(addonId))
  expect(await databases.onServer(addonId)).toEqual([0, 0])
})
