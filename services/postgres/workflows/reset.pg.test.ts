import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import type { AddonId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { transaction } from '#lib/postgres.ts'
import { getRunningWorkflow, getWorkflow, raiseWish } from '#lib/workflow/workflows-db.ts'
import {
  connectCustomer,
  openTestDatabases,
  type TestDatabases,
} from '../../../test/support/postgres-provider.ts'
import { checkSizes } from '../size-check.ts'
import { resetDatabase } from './reset.ts'

const megabyte = 1024 ** 2
// An empty database has about 7.5 MB.
const plans = {
  tiny: { connectionsMax: 4, sizeBytesMax: 12 * megabyte },
  roomy: { connectionsMax: 6, sizeBytesMax: 100 * megabyte },
}
const steps = Object.keys(resetDatabase.steps)

let databases: TestDatabases

beforeAll(async () => {
  databases = await openTestDatabases(inject('engines'), plans)
})

afterAll(() => databases.close())

async function run<T>(url: string, sql: string): Promise<T[]> {
  const client = await connectCustomer(url)
  try {
    return (await client.query(sql)).rows as T[]
  } finally {
    await client.end()
  }
}

const countTables = async (url: string): Promise<number> => {
  const [row] = await run<{ count: number }>(
    url,
    `select count(*)::int as count from pg_tables where tablename like 'kept%'`,
  )
  return row?.count ?? -1
}

/** A database with something in it, and the workflow that is to empty it, at its first step. */
async function begin(): Promise<{ addonId: AddonId; url: string; workflowId: string }> {
  const database = await databases.provision('tiny')
  await run(database.url, 'create table kept (i int)')
  return { ...database, workflowId: await databases.requestReset(database.addonId) }
}

async function stepUntil(workflowId: string, wanted: string): Promise<void> {
  for (const step of steps) {
    if (step === wanted) return
    expect(await databases.drive.step(workflowId)).toBe(step)
  }
}

/** Empty, at the url that it had, for its owner alone, who may do in it what owners may. */
async function expectEmptied(addonId: AddonId, url: string): Promise<void> {
  expect(await databases.urlOf(addonId)).toBe(url)
  expect(await databases.onServer(addonId)).toEqual([1, 1])
  expect(await countTables(url)).toBe(0)
  await run(url, 'create table kept_after (i int); create schema other; create extension pg_trgm')
  const { roleName, databaseName } = await databases.row(addonId)
  const { rows } = await databases.context.server.pool.query(
    `select r.rolconnlimit as connections, r.rolconfig as settings,
       has_database_privilege('public', d.oid, 'connect') as open
     from pg_roles r, pg_database d where r.rolname = $1 and d.datname = $2`,
    [roleName, databaseName],
  )
  const settings = ['temp_file_limit=1229', 'idle_in_transaction_session_timeout=3600s']
  expect(rows).toEqual([
    { connections: 4, settings: expect.arrayContaining(settings), open: false },
  ])
}

test('each step run twice changes nothing more', async () => {
  const { addonId, url, workflowId } = await begin()
  expect(await databases.drive.finish(workflowId, { twice: true })).toBe('emptied')
  await expectEmptied(addonId, url)
})

test('a crash at each step ends in an empty database', async () => {
  for (const crashAt of steps) {
    const { addonId, url, workflowId } = await begin()
    await stepUntil(workflowId, crashAt)
    expect(await databases.drive.crashDuringStep(workflowId)).toBe(crashAt)
    expect(await databases.drive.finish(workflowId)).toBe('emptied')
    await expectEmptied(addonId, url)
  }
})

test('a runner that wakes up after the end neither drops what was written since nor locks out', async () => {
  const { addonId, url, workflowId } = await begin()
  expect(await databases.drive.finish(workflowId)).toBe('emptied')
  await run(url, 'create table kept_after (i int)')
  const info = { workflowId, subjectId: addonId, tries: 0, lastError: '', deadlinePassed: false }
  for (const step of steps) {
    const late = resetDatabase.steps[step]?.(databases.context, { ...info, wishes: new Set() })
    await expect(late).rejects.toThrow('another runner has taken over')
  }
  expect(await countTables(url)).toBe(1)
})

test('nobody gets in before it is empty and whole again', async () => {
  const { url, workflowId } = await begin()
  const session = await connectCustomer(url)
  for (const step of steps.slice(0, -1)) {
    expect(await databases.drive.step(workflowId)).toBe(step)
    await expect(connectCustomer(url)).rejects.toThrow(/not permitted to log in/)
  }
  expect(await databases.drive.finish(workflowId)).toBe('emptied')
  await expect(session.query('select 1')).rejects.toThrow(/terminat|not queryable/)
  expect(await countTables(url)).toBe(0)
})

test('a removal that is wanted before any step comes in its place', async () => {
  for (const wantedAt of steps) {
    const { addonId, workflowId } = await begin()
    await stepUntil(workflowId, wantedAt)
    await transaction(databases.context.pool, async (tx) => {
      await raiseWish(tx, addonId, 'deprovision')
      await databases.table.wantRemoval(tx, addonId)
    })
    expect(await databases.drive.finish(workflowId)).toBe('removal wanted')
    const removal = await getRunningWorkflow(databases.context.pool, addonId)
    expect(removal?.kind).toBe('deprovision-database')
    expect(await databases.drive.finish(removal?.id ?? '')).toBe('gone')
    expect(await databases.onServer(addonId)).toEqual([0, 0])
  }
})

test('another plan that is wanted meanwhile holds at its end', async () => {
  for (const wantedAt of [...steps, undefined]) {
    const { addonId, workflowId } = await begin()
    await stepUntil(workflowId, wantedAt ?? 'open-role')
    const want = async (): Promise<void> =>
      transaction(databases.context.pool, async (tx) =>
        databases.table.setPlan(tx, await databases.row(addonId), 'roomy'),
      )
    if (wantedAt !== undefined) await want()
    else await databases.drive.crashDuringStep(workflowId).then(want)
    expect(await databases.drive.finish(workflowId)).toBe('emptied')
    const next = await getRunningWorkflow(databases.context.pool, addonId)
    if (next) await databases.drive.finish(next.id)
    const { roleName } = await databases.row(addonId)
    const { rows } = await databases.context.server.pool.query(
      'select rolconnlimit as connections from pg_roles where rolname = $1',
      [roleName],
    )
    expect(rows).toEqual([{ connections: 6 }])
  }
})

test('one that was far over its size is as any other again', async () => {
  const { addonId, url } = await databases.provision('tiny')
  await run(
    url,
    `create table kept as select repeat('x', 970) as text from generate_series(1, 20000)`,
  )
  await checkSizes(databases.context, silentLog)
  expect(await databases.row(addonId)).toMatchObject({ sizeState: 'far-over' })
  await databases.drive.finish(await databases.requestReset(addonId))
  expect(await databases.row(addonId)).toMatchObject({ sizeState: 'fits', closedUntil: null })
  await expectEmptied(addonId, url)
})

test('what an owner does to keep it does not hold it up', async () => {
  const { addonId, url, workflowId } = await begin()
  const { databaseName } = await databases.row(addonId)
  const holding = await connectCustomer(url)
  await run(url, `alter database ${databaseName} is_template true`)
  await run(url, `alter role current_user password 'other'`)
  await holding.query('set idle_in_transaction_session_timeout = 0; begin')
  await holding.query(`alter role current_user password 'another'`)
  const startedMs = Date.now()
  expect(await databases.drive.finish(workflowId)).toBe('emptied')
  expect(Date.now() - startedMs).toBeLessThan(10_000)
  await expectEmptied(addonId, url)
  expect((await getWorkflow(databases.context.pool, workflowId))?.lastError).toBe('')
})
