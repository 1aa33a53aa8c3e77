import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { findBinaries } from '../../local-platform/binaries.ts'
import { eventually } from '../support/eventually.ts'
import { herokuCli } from '../support/heroku-cli.ts'

const heroku = herokuCli(inject('platformEnv'))
const app = 'cli-backups'
const name = 'cli-backups-main'
const spare = 'cli-backups-spare'
const inApp = ['-a', app]
/** The databases' urls, which stay whatever is restored. */
let config: Record<string, string>
const sure = [...inApp, '--confirm', app]

beforeAll(async () => {
  await heroku.ok(['apps:create', app])
  const create = ['addons:create', 'heroku-postgresql:essential-0', ...inApp, '--wait', '--name']
  await heroku.ok([...create, name])
  await heroku.ok([...create, spare, '--as', 'SPARE'])
  config = Object(JSON.parse(await heroku.ok(['config', ...inApp, '--json'])))
  await run('DATABASE_URL', `create table kept (i int); insert into kept values (1), (2), (3)`)
})

afterAll(() => heroku.run(['apps:destroy', app, '--confirm', app]))

async function connect(variable: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: config[variable] })
  client.on('error', () => undefined)
  await client.connect()
  return client
}

async function run(variable: string, sql: string): Promise<unknown[]> {
  const client = await connect(variable)
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}

const countKept = (variable = 'DATABASE_URL') =>
  run(variable, 'select count(*)::int as n from kept')

test('a backup is captured, listed, shown, downloaded and restored after a loss', async () => {
  await heroku.ok(['pg:backups:capture', ...inApp])
  const list = await heroku.ok(['pg:backups', ...inApp])
  expect(list).toMatch(new RegExp(`b001 .*Completed .*KB .*${name}`))
  const info = await heroku.ok(['pg:backups:info', 'b001', ...inApp])
  expect(info).toMatch(/Status: +Completed\nType: +Manual\nOriginal DB Size: +7\.\d\dMB/)
  expect(info).toContain('Restored aside and compared')

  const url = (await heroku.ok(['pg:backups:url', ...inApp])).trim()
  const folder = await mkdtemp(join(tmpdir(), 'plexus-cli-'))
  const file = join(folder, 'latest.dump')
  const download = await fetch(url)
  expect(download.headers.get('content-disposition')).toContain(`${name}-b001.dump`)
  await writeFile(file, Buffer.from(await download.arrayBuffer()))
  const { postgresBin = '' } = await findBinaries(process.env)
  const listed = await promisify(execFile)(join(postgresBin, 'pg_restore'), ['--list', file])
  expect(listed.stdout).toMatch(/TABLE DATA public kept/)
  await rm(folder, { recursive: true })

  await run('DATABASE_URL', 'drop table kept')
  await heroku.ok(['pg:backups:restore', ...sure])
  expect(await countKept()).toEqual([{ n: 3 }])
})

test('pg:copy puts what one database holds into another', async () => {
  await run('DATABASE_URL', 'insert into kept values (4)')
  await heroku.ok(['pg:copy', 'DATABASE_URL', 'SPARE_URL', ...inApp, '--confirm', 'SPARE'])
  expect(await countKept('SPARE_URL')).toEqual([{ n: 4 }])
})

test('a daily backup is scheduled, shown and unscheduled', async () => {
  await heroku.ok(['pg:backups:schedule', '--at', '02:00 America/Los_Angeles', ...inApp])
  const shown = await heroku.ok(['pg:backups:schedules', ...inApp])
  expect(shown).toContain('DATABASE_URL: daily at 2:00 America/Los_Angeles')
  await heroku.ok(['pg:backups:unschedule', ...inApp])
  expect((await heroku.run(['pg:backups:schedules', ...inApp])).stderr).toContain('No backup')
})

test('one under way is canceled, and one that has ended is deleted', async () => {
  const locking = await connect('DATABASE_URL')
  await locking.query('begin; lock table kept')
  const capture = heroku.run(['pg:backups:capture', ...inApp])
  await eventually(async () =>
    expect(await heroku.ok(['pg:backups', ...inApp])).toContain('Running'),
  )
  await heroku.ok(['pg:backups:cancel', ...inApp])
  expect(await capture).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('It was canceled.'),
  })
  await locking.end()
  await heroku.ok(['pg:backups:delete', 'b001', ...sure])
})

test('a destroyed database can be brought back from its final snapshot', async () => {
  expect(await heroku.ok(['pg:backups', ...inApp])).not.toContain('b001')
  await heroku.ok(['addons:destroy', spare, ...sure])
  const final = await eventually(async () => {
    const list = await heroku.ok(['pg:backups', ...inApp])
    const row = new RegExp(`(b\\d{3}) .*Completed .*${spare}`).exec(list)
    if (!row) throw new Error(`no final snapshot in ${list}`)
    return row[1] ?? ''
  })
  const info = await heroku.ok(['pg:backups:info', final, ...inApp])
  expect(info).toContain(`Final snapshot of ${spare}, which is being destroyed.`)
  await heroku.ok(['pg:backups:restore', final, 'DATABASE_URL', ...sure])
  expect(await countKept()).toEqual([{ n: 4 }])
})
