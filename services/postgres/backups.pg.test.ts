import { once } from 'node:events'
import { open, stat, truncate, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { newId, type AddonId, type AppId } from '#lib/ids.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { eventually } from '../../test/support/eventually.ts'
import { run, testBackups, type TestBackups } from '../../test/support/postgres-backups.ts'
import {
  connectCustomer,
  openTestDatabases,
  type TestDatabases,
} from '../../test/support/postgres-provider.ts'
import { driveWorkflows } from '../../test/support/workflow-suite.ts'
import type { AddonServer } from './addon-server.ts'
import type { Backups } from './backups.ts'
import { scheduledBackupsMax, transferTriesMax } from './limits.ts'
import { runSchedules, scheduleBackups } from './schedules.ts'
import { tendBackups } from './tend-backups.ts'
import { TransferEnded, underWatch } from './transfer-watch.ts'
import { listTransfers, type TransferRow } from './transfers-db.ts'
import { cancelTransfer } from './transfers.ts'
import { postgresWorkflows } from './workflows/all.ts'

let databases: TestDatabases
let backups: TestBackups

beforeAll(async () => {
  databases = await openTestDatabases(inject('engines'))
  backups = testBackups(databases)
})

afterAll(() => databases.close())

const messages = ({ logs }: TransferRow): string => logs.map(({ message }) => message).join('\n')

/** A session in the database waits for a lock. */
async function waitsForLock(addonId: AddonId): Promise<boolean> {
  const { rowCount } = await databases.context.server.pool.query(
    `select from pg_stat_activity where datname = $1 and wait_event_type = 'Lock'`,
    [(await databases.row(addonId)).databaseName],
  )
  return rowCount !== 0
}

/** Bytes in the middle of a file become others. */
async function spoil(file: string): Promise<void> {
  const path = join(databases.context.backups.folder, file)
  const { size } = await stat(path)
  const handle = await open(path, 'r+')
  await handle.write(Buffer.alloc(64, 0x55), 0, 64, Math.floor(size * 0.6))
  await handle.close()
}

const filled = `create table kept (id serial primary key, text text);
  insert into kept (text) select md5(i::text) from generate_series(1, 5000) i`

test('what is written while a backup is made does not matter to it', async () => {
  const { addonId, url } = await databases.provision('essential-0')
  await run(url, filled)
  let stopped = false
  let written = 0
  const client = await connectCustomer(url)
  const write = async (): Promise<void> => {
    while (!stopped) {
      await client.query(`insert into kept (text) values ('more'); delete from kept where id = 7;
        update kept set text = text || '.' where id % 500 = 0`)
      written++
    }
    await client.end()
  }
  const writing = write()
  const { id, workflowId } = await backups.begin.capture(addonId)
  await eventually(() => expect(written).toBeGreaterThan(3))
  await databases.drive.finish(workflowId)
  const before = written
  await eventually(() => expect(written).toBeGreaterThan(before))
  stopped = true
  await writing
  expect(await backups.find(id)).toMatchObject({ state: 'succeeded', warnings: 0 })
})

test('a file that has changed on the disk is no good backup, and the log names the table', async () => {
  const { addonId, url } = await databases.provision('essential-0')
  await run(url, filled)
  const { id, workflowId } = await backups.begin.capture(addonId)
  expect(await databases.drive.step(workflowId)).toBe('dump')
  await spoil((await backups.find(id)).file ?? '')
  await databases.drive.finish(workflowId)
  const failed = await backups.find(id)
  expect(failed).toMatchObject({ state: 'failed' })
  expect(messages(failed)).toMatch(/table public\.kept has \d+ rows, and had 5000/)
  expect(await backups.leftOnServer()).toEqual([])
})

test('a restore that fails leaves the database as it was', async () => {
  const { addonId, url } = await databases.provision('essential-0')
  await run(url, filled)
  const backup = await backups.capture(addonId)
  await run(url, 'create table later (i int)')
  await spoil(backup.file ?? '')
  const failed = await backups.restore(addonId, backup.id)
  expect(failed.state).toBe('failed')
  expect(
    await run(url, 'select count(*)::int as n from kept, lateral (select from later) l'),
  ).toEqual([{ n: 0 }])
  // One whose file is shorter than it was, too.
  await truncate(join(databases.context.backups.folder, backup.file ?? ''), 100)
  expect((await backups.restore(addonId, backup.id)).state).toBe('failed')
  expect(await run(url, 'select count(*)::int as n from kept')).toEqual([{ n: 5000 }])
  expect(await backups.leftOnServer()).toEqual([])
})

test("an owner's code runs with his own rights, or not at all", async () => {
  const { addonId, url } = await databases.provision('essential-0')
  const { databaseName, roleName } = await databases.row(addonId)
  // A constraint calls it when its table's rows are restored, as whoever restores. It tries what
  // would give more rights, and leaves a comment that says where it ran, and with which.
  await run(
    url,
    `create function tempt(i int) returns bool language plpgsql as $$ begin
       execute 'set role none';
       begin execute 'alter role ${roleName} superuser'; exception when others then null; end;
       begin execute 'set session authorization plexus'; exception when others then null; end;
       execute format('comment on function public.tempt(int) is %L',
         left(current_database(), 1) || ' ' || current_setting('is_superuser'));
       return true;
     end $$;
     create table kept (i int check (public.tempt(i)));
     insert into kept values (1);
     create table other (i int);
     create publication later for table other;
     create function shown(kept) returns text language sql as $$ select 'nothing' $$;
     create cast (kept as text) with function shown(kept) as implicit;
     create function public.quote_ident(name) returns text language sql as $$ select 'wrong' $$;
     create function public.md5(text) returns text language sql as $$ select 'wrong' $$;
     alter database ${databaseName} set search_path = public, pg_catalog;
     alter database ${databaseName} set statement_timeout = 1;
     alter database ${databaseName} set local_preload_libraries = 'missing';
     alter database ${databaseName} set default_transaction_read_only = on;
     alter role ${roleName} set role = '${roleName}'`,
  )
  const backup = await backups.capture(addonId)
  expect([backup.state, messages(backup)]).toEqual(['succeeded', expect.any(String)])
  expect((await backups.restore(addonId, backup.id)).state).toBe('succeeded')
  const told = `select obj_description('public.tempt(int)'::regprocedure) as ran`
  expect(await run(url, told)).toEqual([{ ran: 's off' }])
  // What is restored after that is the owner's as well, and stays.
  const owners = 'select pg_get_userbyid(pubowner) as owner from pg_publication'
  expect(await run(url, owners)).toEqual([{ owner: roleName }])
  const { rows } = await databases.context.server.pool.query(
    'select rolsuper or rolcreaterole or rolcreatedb as much from pg_roles where rolname = $1',
    [roleName],
  )
  expect(rows).toEqual([{ much: false }])
  expect(await backups.leftOnServer()).toEqual([])
})

test('one that waits for a locked table is canceled, and leaves nothing', async () => {
  const { addonId, url } = await databases.provision('essential-0')
  const files = await backups.files()
  await run(url, filled)
  const locking = await connectCustomer(url)
  await locking.query('begin; lock table kept')
  const { id, workflowId } = await backups.begin.capture(addonId)
  const dumping = databases.drive.step(workflowId)
  await eventually(async () => expect((await backups.find(id)).state).toBe('running'))
  await cancelTransfer(databases.context.pool, await backups.find(id))
  await dumping
  await databases.drive.finish(workflowId)
  expect(await backups.find(id)).toMatchObject({ state: 'canceled', file: null })
  await locking.end()
  expect(await backups.leftOnServer()).toEqual([])
  expect(await backups.files()).toEqual(files)
  await expect(
    cancelTransfer(databases.context.pool, await backups.find(id)),
  ).rejects.toMatchObject({ code: ErrorCode.CONFLICT })
})

test('one that waits for its turn is canceled, and no final snapshot waits for that turn', async () => {
  const { context, drive } = databases
  const { addonId, url } = await databases.provision('essential-0')
  await run(url, filled)
  const turn = { appId: backups.appId, origin: 'manual' } as const
  expect(context.backups.takeTurn(turn)).toBe(true)
  const first = await backups.begin.capture(addonId)
  await drive.step(first.workflowId)
  await cancelTransfer(context.pool, await backups.find(first.id))
  expect(await drive.finish(first.workflowId)).toBe('ended')
  expect(await backups.find(first.id)).toMatchObject({ state: 'canceled', startedAt: null })
  const second = await backups.begin.capture(addonId)
  const removal = await backups.begin.removal(addonId)
  expect(await drive.finish(second.workflowId)).toBe('ended')
  expect(await drive.finish(removal)).toBe('gone')
  context.backups.endTurn(turn)
  const all = await listTransfers(context.pool, backups.appId)
  expect(
    all.filter(({ fromAddonId }) => fromAddonId === addonId).map(({ state }) => state),
  ).toEqual(['succeeded', 'canceled', 'canceled'])
})

test('three runs are the end of a transfer, whatever it waits for; those that a stop ended are none', async () => {
  const { context } = databases
  const { addonId, url } = await databases.provision('essential-0')
  await run(url, filled)
  const { id, workflowId } = await backups.begin.capture(addonId)
  const driveWith = (parts: Partial<Backups>) =>
    driveWorkflows({
      ...{ pool: context.pool, workflows: postgresWorkflows },
      context: { ...context, backups: { ...context.backups, ...parts } },
    })
  const stopped = driveWith({ stopping: AbortSignal.abort() })
  for (let stops = 0; stops < transferTriesMax; stops++) await stopped.step(workflowId)
  const broken = driveWith({ binDir: '/nowhere' })
  const waiting = driveWith({ takeTurn: () => false })
  for (let runs = 0; runs < transferTriesMax; runs++) {
    await waiting.step(workflowId)
    expect((await backups.find(id)).finishedAt).toBeNull()
    await broken.step(workflowId)
  }
  expect(await backups.find(id)).toMatchObject({ state: 'failed' })
  await databases.drive.finish(workflowId)
  // What took its process along each time is not begun once more.
  const fatal = await backups.begin.capture(addonId)
  for (let runs = 0; runs < transferTriesMax; runs++)
    await databases.drive.crashDuringStep(fatal.workflowId)
  expect(await databases.drive.finish(fatal.workflowId)).toBe('ended')
  expect(await backups.find(fatal.id)).toMatchObject({ state: 'failed' })
})

test('one whose server does not answer is canceled as well', async () => {
  const { context } = databases
  const { addonId } = await databases.provision('essential-0')
  const silent = createServer(() => undefined).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as AddressInfo
  const transferLogin: AddonServer['transferLogin'] = async (login) => ({
    ...(await context.server.transferLogin(login)),
    ...{ host: '127.0.0.1', port },
  })
  const drive = driveWorkflows({
    ...{ pool: context.pool, workflows: postgresWorkflows },
    context: { ...context, server: { ...context.server, transferLogin } },
  })
  const { id, workflowId } = await backups.begin.capture(addonId)
  const connected = once(silent, 'connection')
  const dumping = drive.step(workflowId)
  await connected
  await cancelTransfer(context.pool, await backups.find(id))
  await dumping
  expect(await backups.find(id)).toMatchObject({ state: 'canceled', runs: 1 })
  silent.close()
  await databases.drive.finish(workflowId)
})

test('one that takes too long is tried again', async () => {
  const { addonId } = await databases.provision('essential-0')
  const transfer = await backups.find((await backups.begin.capture(addonId)).id)
  const short = { bytesBefore: 0, bytesMax: Infinity, secondsMax: 0.01 }
  const running = underWatch(databases.context, transfer, short, async ({ signal }) => {
    await once(signal, 'abort')
    signal.throwIfAborted()
  })
  const error: unknown = await running.catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ message: 'It took longer than 0.01 seconds.' })
  expect(error).not.toBeInstanceOf(TransferEnded)
})

test('a backup is made every day, and the oldest of too many go with their files', async () => {
  const { pool } = databases.context
  const { addonId, url } = await databases.provision('essential-0')
  await run(url, filled)
  const appId = newId<AppId>()
  const schedule = { addonId, appId, name: 'DATABASE_URL', requestedBy: 'owner@example.com' }
  const asked = { ...schedule, hour: 2, timezone: 'America/Los_Angeles' }
  await expect(
    scheduleBackups({ pool }, { ...asked, timezone: 'Mars/Phobos' }),
  ).rejects.toMatchObject({ code: ErrorCode.INVALID_PARAMS })
  await scheduleBackups({ pool }, asked)
  const hourThere = async () =>
    (
      await pool.query<{ hour: number }>(
        `select extract(hour from next_at at time zone timezone)::int as hour from schedules
         where addon_id = $1 and next_at > now() and next_at < now() + interval '25 hours'`,
        [addonId],
      )
    ).rows
  expect(await hourThere()).toEqual([{ hour: 2 }])
  // It is due, and has been for days; earlier backups are as good as this one.
  await pool.query(`update schedules set next_at = now() - interval '3 days' where addon_id = $1`, [
    addonId,
  ])
  await Promise.all([runSchedules(databases.context), runSchedules(databases.context)])
  expect(await hourThere()).toEqual([{ hour: 2 }])
  const [transfer, ...others] = await listTransfers(pool, appId)
  expect(others).toEqual([])
  await databases.drive.finish(await backups.running(transfer?.id ?? ''))
  await writeFile(join(databases.context.backups.folder, 'oldest.dump'), '')
  await pool.query(
    `insert into transfers (id, app_id, num, kind, origin, from_addon_id, from_name, requested_by,
       state, finished_at, file)
     select gen_random_uuid(), app_id, -i, kind, origin, from_addon_id, from_name, '', state,
       finished_at, case i when ${scheduledBackupsMax} then 'oldest.dump' end
     from transfers, generate_series(1, ${scheduledBackupsMax}) i where id = $1`,
    [transfer?.id],
  )
  await pool.query('update schedules set next_at = now() where addon_id = $1', [addonId])
  await tendBackups(databases.context)
  expect(await backups.files()).toContain('oldest.dump')
  const [second] = await listTransfers(pool, appId)
  await databases.drive.finish(await backups.running(second?.id ?? ''))
  await tendBackups(databases.context)
  const kept = await listTransfers(pool, appId)
  expect(kept.map(({ num }) => num)).toEqual([2, 1, -1, -2, -3, -4, -5])
  const files = await backups.files()
  expect(files).not.toContain('oldest.dump')
  expect(files).toEqual(expect.arrayContaining(kept.slice(0, 2).map(({ file }) => file)))
})

test('a schedule that cannot be run holds up no other', async () => {
  const { pool } = databases.context
  const appId = newId<AppId>()
  const asked = { appId, name: 'DATABASE_URL', requestedBy: '', hour: 2, timezone: 'UTC' }
  await expect(
    scheduleBackups({ pool }, { ...asked, addonId: newId<AddonId>(), timezone: '+01:00' }),
  ).rejects.toMatchObject({ code: ErrorCode.INVALID_PARAMS })
  const [bad, good] = [
    await databases.provision('essential-0'),
    await databases.provision('essential-0'),
  ]
  for (const { addonId } of [bad, good]) await scheduleBackups({ pool }, { ...asked, addonId })
  await pool.query(
    `update schedules set timezone = case when addon_id = $2 then 'Mars/Phobos' else timezone end,
       next_at = now() - case when addon_id = $2 then interval '2 days' else interval '1 day' end
     where app_id = $1`,
    [appId, bad.addonId],
  )
  await tendBackups(databases.context)
  expect((await listTransfers(pool, appId)).map(({ fromAddonId }) => fromAddonId)).toEqual([
    good.addonId,
  ])
  const { rowCount } = await pool.query('select from schedules where next_at <= now()')
  expect(rowCount).toBe(0)
})

test('a backup of a database that is emptied meanwhile is no backup of the empty one', async () => {
  const { addonId, url } = await databases.provision('essential-0')
  await run(url, filled)
  const locking = await connectCustomer(url)
  await locking.query('begin; lock table kept')
  const { id, workflowId } = await backups.begin.capture(addonId)
  const dumping = databases.drive.crashDuringStep(workflowId)
  await eventually(async () => expect(await waitsForLock(addonId)).toBe(true))
  await databases.drive.finish(await databases.requestReset(addonId))
  await dumping
  await databases.drive.finish(workflowId)
  const failed = await backups.find(id)
  expect(failed).toMatchObject({ state: 'failed', file: null })
  expect(messages(failed)).toContain('emptied or replaced')
})
