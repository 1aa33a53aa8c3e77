import { utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { newId, type AddonId, type TransferId } from '#lib/ids.ts'
import { transaction } from '#lib/postgres.ts'
import { getRunningWorkflow, getWorkflow, raiseWish } from '#lib/workflow/workflows-db.ts'
import { run, testBackups, type TestBackups } from '../../../test/support/postgres-backups.ts'
import {
  connectCustomer,
  openTestDatabases,
  type TestDatabases,
} from '../../../test/support/postgres-provider.ts'
import { driveWorkflows } from '../../../test/support/workflow-suite.ts'
import { planOf } from '../databases.ts'
import { strayFileMs } from '../limits.ts'
import { createTransferRole, endRole, loginTo, openSession } from '../scratch-db.ts'
import { tendBackups } from '../tend-backups.ts'
import { listTransfers } from '../transfers-db.ts'
import { cancelTransfer } from '../transfers.ts'
import { postgresWorkflows } from './all.ts'
import { captureBackup } from './capture-backup.ts'
import { restoreBackup } from './restore-backup.ts'

let databases: TestDatabases
let backups: TestBackups
/** A backup of a database with three rows, for those who restore it. */
let backup: TransferId

beforeAll(async () => {
  databases = await openTestDatabases(inject('engines'))
  backups = testBackups(databases)
  backup = (await backups.capture((await filled()).addonId)).id
})

afterAll(() => databases.close())

async function filled(): Promise<{ addonId: AddonId; url: string }> {
  const database = await databases.provision('essential-0')
  await run(database.url, `create table kept (i int); insert into kept values (1), (2), (3)`)
  return database
}

const rowsIn = async (url: string): Promise<number[]> =>
  (await run<{ i: number }>(url, 'select i from kept order by i')).map(({ i }) => i)

async function stepUntil(workflowId: string, wanted: string): Promise<void> {
  while ((await getWorkflow(databases.context.pool, workflowId))?.step !== wanted)
    expect(await databases.drive.step(workflowId)).toBeDefined()
}

/** One good backup, of which nothing but its file is left. */
async function expectCaptured(id: TransferId): Promise<void> {
  const transfer = await backups.find(id)
  expect(transfer).toMatchObject({ state: 'succeeded', warnings: 0 })
  expect(await backups.files()).toContain(transfer.file)
  expect(await backups.leftOnServer()).toEqual([])
}

test('capture: each step run twice makes one backup', async () => {
  const { addonId } = await filled()
  const { id, workflowId } = await backups.begin.capture(addonId)
  expect(await databases.drive.finish(workflowId, { twice: true })).toBe('ended')
  await expectCaptured(id)
  expect(await backups.find(id)).toMatchObject({ logs: { length: 4 } })
})

test('capture: a crash at each step ends in one backup', async () => {
  const { addonId } = await filled()
  for (const crashAt of Object.keys(captureBackup.steps)) {
    const { id, workflowId } = await backups.begin.capture(addonId)
    await stepUntil(workflowId, crashAt)
    expect(await databases.drive.crashDuringStep(workflowId)).toBe(crashAt)
    expect(await databases.drive.finish(workflowId)).toBe('ended')
    await expectCaptured(id)
  }
  // What the crashed runs have written is nobody's, and goes when it is old enough.
  const named = (await listTransfers(databases.context.pool, backups.appId)).map(({ file }) => file)
  // One killed while it writes leaves what lib/whole-file.ts has put together so far.
  await writeFile(join(databases.context.backups.folder, `${named[0]}.0123456789ab.new`), 'half')
  const strays = (await backups.files()).filter((file) => !named.includes(file))
  expect(strays.length).toBeGreaterThan(1)
  await tendBackups(databases.context)
  expect(await backups.files()).toEqual(expect.arrayContaining(strays))
  const old = new Date(Date.now() - strayFileMs - 1000)
  for (const file of await backups.files())
    await utimes(join(databases.context.backups.folder, file), old, old)
  await tendBackups(databases.context)
  expect(new Set(await backups.files())).toEqual(new Set(named))
})

test('capture: what a killed process has left going ends when the next run begins', async () => {
  const { addonId } = await filled()
  const { server, plans } = databases.context
  const row = await databases.row(addonId)
  const database = row.databaseName
  const { id, workflowId } = await backups.begin.capture(addonId)
  const role = await createTransferRole(server, { id, database, plan: planOf(plans, row) })
  const login = await loginTo(server, role, database)
  const left = await openSession(login, new AbortController().signal)
  const working = left.query('select pg_sleep(600)').then(() => 'slept', String)
  expect(await databases.drive.step(workflowId)).toBe('dump')
  expect(await working).toMatch(/terminat/)
  expect(await databases.drive.finish(workflowId)).toBe('ended')
  await expectCaptured(id)
})

/** Restored for its owner alone, under the url that it had. */
async function expectRestored(id: TransferId, addonId: AddonId, url: string): Promise<void> {
  expect(await backups.find(id)).toMatchObject({ state: 'succeeded' })
  expect(await databases.urlOf(addonId)).toBe(url)
  expect(await rowsIn(url)).toEqual([1, 2, 3])
  await run(url, 'create table after (i int); create schema other')
  const { rows } = await databases.context.server.pool.query(
    `select d.datconnlimit as limit, has_database_privilege('public', d.oid, 'connect') as open,
       pg_get_userbyid(d.datdba) = $2 as own
     from pg_database d where d.datname = $1`,
    [(await databases.row(addonId)).databaseName, (await databases.row(addonId)).roleName],
  )
  expect(rows).toEqual([{ limit: -1, open: false, own: true }])
  expect(await backups.leftOnServer()).toEqual([])
}

test('restore: each step run twice changes nothing more', async () => {
  const { addonId, url } = await databases.provision('essential-0')
  const { id, workflowId } = await backups.begin.restore(addonId, backup)
  expect(await databases.drive.finish(workflowId, { twice: true })).toBe('ended')
  await expectRestored(id, addonId, url)
})

test('restore: a crash at each step ends with the backup in place', async () => {
  const { addonId, url } = await databases.provision('essential-0')
  for (const crashAt of Object.keys(restoreBackup.steps)) {
    const { id, workflowId } = await backups.begin.restore(addonId, backup)
    await stepUntil(workflowId, crashAt)
    expect(await databases.drive.crashDuringStep(workflowId)).toBe(crashAt)
    expect(await databases.drive.finish(workflowId)).toBe('ended')
    await expectRestored(id, addonId, url)
  }
})

test('restore: a runner that wakes up after the end undoes nothing', async () => {
  const { addonId, url } = await filled()
  const { workflowId } = await backups.begin.restore(addonId, backup)
  expect(await databases.drive.finish(workflowId)).toBe('ended')
  await run(url, 'insert into kept values (4)')
  const info = { workflowId, subjectId: addonId, tries: 0, lastError: '', deadlinePassed: false }
  for (const step of ['close-role', 'swap', 'open-database', 'open-role']) {
    const late = restoreBackup.steps[step]?.(databases.context, { ...info, wishes: new Set() })
    await expect(late).rejects.toThrow('another runner has taken over')
  }
  expect(await rowsIn(url)).toEqual([1, 2, 3, 4])
})

test('restore: a removal that is wanted before any step comes in its place', async () => {
  for (const wantedAt of ['restore', 'swap', 'open-database', 'open-role']) {
    const { addonId } = await databases.provision('essential-0')
    const { id, workflowId } = await backups.begin.restore(addonId, backup)
    await stepUntil(workflowId, wantedAt)
    await transaction(databases.context.pool, async (tx) => {
      await raiseWish(tx, addonId, 'deprovision')
      await databases.table.wantRemoval(tx, addonId)
    })
    expect(await databases.drive.finish(workflowId)).toBe('ended')
    expect((await backups.find(id)).finishedAt).not.toBeNull()
    const removal = await getRunningWorkflow(databases.context.pool, addonId)
    expect(await databases.drive.finish(removal?.id ?? '')).toBe('gone')
    expect(await databases.onServer(addonId)).toEqual([0, 0])
    expect(await backups.leftOnServer()).toEqual([])
  }
})

test('restore: one that is canceled before the swap changes nothing, and after it is not', async () => {
  const { addonId, url } = await filled()
  const { pool } = databases.context
  await run(url, 'insert into kept values (4)')
  for (const wantedAt of ['close-role', 'swap']) {
    const { id, workflowId } = await backups.begin.restore(addonId, backup)
    await stepUntil(workflowId, wantedAt)
    await cancelTransfer(pool, await backups.find(id))
    expect(await databases.drive.finish(workflowId)).toBe('ended')
    expect(await backups.find(id)).toMatchObject({ state: 'canceled' })
    expect(await rowsIn(url)).toEqual([1, 2, 3, 4])
    expect(await backups.leftOnServer()).toEqual([])
  }
  const { id, workflowId } = await backups.begin.restore(addonId, backup)
  await stepUntil(workflowId, 'swap')
  await databases.drive.crashDuringStep(workflowId)
  await expect(cancelTransfer(pool, await backups.find(id))).rejects.toThrow('too late')
  expect(await databases.drive.finish(workflowId)).toBe('ended')
  await expectRestored(id, addonId, url)
})

test('restore: leftovers that nobody can remove keep nobody out', async () => {
  const { addonId, url } = await databases.provision('essential-0')
  const { id, workflowId } = await backups.begin.restore(addonId, backup)
  await stepUntil(workflowId, 'clean-up')
  expect(await rowsIn(url)).toEqual([1, 2, 3])
  expect(await databases.drive.finish(workflowId)).toBe('ended')
  await expectRestored(id, addonId, url)
})

test('copy: what another database holds, and whose password the url has, is put in place', async () => {
  const source = await filled()
  const { addonId, url } = await databases.provision('essential-0')
  const wrong = source.url.replace(/:[^:@]+@/, ':wrong@')
  await expect(backups.begin.copy(addonId, wrong)).rejects.toThrow('does not have its password')
  await expect(backups.begin.copy(addonId, 'postgres://u:p@db.example.com/d')).rejects.toThrow(
    'copies from its own databases only',
  )
  const { id, workflowId } = await backups.begin.copy(addonId, source.url)
  // When it is dumped, its source is needed no more.
  await stepUntil(workflowId, 'restore')
  await databases.drive.finish(await backups.begin.removal(source.addonId))
  expect(await databases.drive.finish(workflowId, { twice: true })).toBe('ended')
  await expectRestored(id, addonId, url)
  await tendBackups(databases.context)
  expect(await backups.find(id)).toMatchObject({ kind: 'copy', file: null })
})

/** The final snapshot of a database that is gone. */
async function expectFinalSnapshot(addonId: AddonId): Promise<TransferId> {
  expect(await databases.onServer(addonId)).toEqual([0, 0])
  expect(await backups.leftOnServer()).toEqual([])
  const all = await listTransfers(databases.context.pool, backups.appId)
  const [final, ...others] = all.filter(({ fromAddonId }) => fromAddonId === addonId)
  expect(others).toEqual([])
  expect(final).toMatchObject({ origin: 'final', state: 'succeeded', fromName: 'test-essential-0' })
  const days = ((final?.expiresAt?.getTime() ?? 0) - Date.now()) / 86_400_000
  expect(Math.round(days)).toBe(7)
  return final?.id ?? backup
}

test('what an overtaken run made after the end of its transfer goes with the next tidying', async () => {
  const { context } = databases
  const { id } = await backups.capture((await filled()).addonId)
  const name = `${id.replaceAll('-', '')}_0123abcd`
  await context.server.pool.query(`create role b${name}`)
  await context.server.pool.query(`create database s${name} owner b${name}`)
  await tendBackups(context)
  expect(await backups.leftOnServer()).toEqual([])
})

test("the end of a rotation's former credential does not end a dump", async () => {
  const { server, plans } = databases.context
  const { addonId } = await filled()
  await databases.drive.finish(await databases.requestRotation(addonId))
  const row = await databases.row(addonId)
  const { databaseName: database } = row
  const plan = planOf(plans, row)
  const role = await createTransferRole(server, { id: newId<TransferId>(), database, plan })
  const login = await loginTo(server, role, database)
  const session = await openSession(login, new AbortController().signal)
  await databases.drive.finish(await databases.requestRevocation(addonId))
  const { rows } = await session.query('select count(*)::int as n from public.kept')
  expect(rows).toEqual([{ n: 3 }])
  await session.end()
  await endRole(server, role.name)
})

test('removal: each step run twice leaves one final snapshot, which can be restored', async () => {
  const { addonId } = await filled()
  const removal = await backups.begin.removal(addonId)
  expect(await databases.drive.finish(removal, { twice: true })).toBe('gone')
  const final = await expectFinalSnapshot(addonId)
  const other = await databases.provision('essential-0')
  await backups.restore(other.addonId, final)
  expect(await rowsIn(other.url)).toEqual([1, 2, 3])
})

test('removal: it does as well while a rotation is only written down', async () => {
  const { addonId } = await filled()
  const rotation = await databases.requestRotation(addonId)
  await transaction(databases.context.pool, async (tx) => {
    await raiseWish(tx, addonId, 'deprovision')
    await databases.table.wantRemoval(tx, addonId, backups.appId)
  })
  await databases.drive.finish(rotation)
  expect(await databases.drive.finish(await backups.running(addonId))).toBe('gone')
  await expectFinalSnapshot(addonId)
})

test('removal: a crash at each step does as well, whoever holds the tables', async () => {
  for (const crashAt of ['close-role', 'look-inside', 'dump', 'check', 'clean-up', 'forget']) {
    const { addonId, url } = await filled()
    const holding = await connectCustomer(url)
    await holding.query('begin; lock table kept')
    const removal = await backups.begin.removal(addonId)
    await stepUntil(removal, crashAt)
    expect(await databases.drive.crashDuringStep(removal)).toBe(crashAt)
    expect(await databases.drive.finish(removal)).toBe('gone')
    await holding.end().catch(() => undefined)
    await expectFinalSnapshot(addonId)
  }
})

test('removal: a final snapshot that cannot be made does not keep the database', async () => {
  const { addonId } = await filled()
  const before = await backups.capture(addonId)
  const { pool, backups: working } = databases.context
  const context = { ...databases.context, backups: { ...working, binDir: '/nowhere' } }
  const drive = driveWorkflows({ pool, workflows: postgresWorkflows, context })
  expect(await drive.finish(await backups.begin.removal(addonId))).toBe('gone')
  expect(await databases.onServer(addonId)).toEqual([0, 0])
  const all = await listTransfers(pool, backups.appId)
  const [final] = all.filter(
    ({ origin, fromAddonId }) => origin === 'final' && fromAddonId === addonId,
  )
  expect(final).toMatchObject({ state: 'failed' })
  // The earlier backup is kept as long as a final snapshot would have been.
  expect((await backups.find(before.id)).expiresAt).not.toBeNull()
})
