import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { herokuCli } from '../support/heroku-cli.ts'

const platformEnv = inject('platformEnv')
const heroku = herokuCli(platformEnv)
const app = 'cli-postgres'
const name = 'cli-pg-main'
const spare = 'cli-pg-spare'
const sessions: pg.Client[] = []

beforeAll(async () => {
  await heroku.ok(['apps:create', app])
  const create = (plan: string) => [
    'addons:create',
    `heroku-postgresql:${plan}`,
    '-a',
    app,
    '--wait',
  ]
  await heroku.ok([...create('essential-0'), '--name', name])
  // The CLI makes no named credentials in plans that begin with "essential".
  await heroku.ok([...create('standard-0'), '--name', spare])
})

afterAll(async () => {
  await Promise.all(sessions.map((session) => session.end().catch(() => undefined)))
  await heroku.run(['apps:destroy', app, '--confirm', app])
})

const urlOf = async (variable = 'DATABASE_URL'): Promise<string> => {
  const config: unknown = JSON.parse(await heroku.ok(['config', '-a', app, '--json']))
  return String(Object(config)[variable])
}

/** A customer's session; that the server ends it is an answer, not a crash. */
const connect = async (url?: string): Promise<pg.Client> => {
  const session = new pg.Client({ connectionString: url ?? (await urlOf()) })
  session.on('error', () => undefined)
  await session.connect()
  sessions.push(session)
  return session
}

/** Lines of `pg:info`, "PG Version:   15.13", by their names. */
const info = async (...args: string[]): Promise<Record<string, string>> => {
  const lines = (await heroku.ok(['pg:info', ...args, '-a', app])).split('\n')
  const rows = lines.map((line) => /^([\w /-]+): +(.*)$/.exec(line))
  return Object.fromEntries(rows.flatMap((row) => (row ? [[row[1] ?? '', row[2] ?? '']] : [])))
}

test('pg:info shows what a database is and what it uses of its plan', async () => {
  const session = await connect()
  await session.query('create table one (i int); create table two (i int)')
  const { rows } = await session.query<{ server_version: string }>('show server_version')
  const [version] = rows[0]?.server_version.split(' ') ?? []
  expect(await info('DATABASE_URL')).toEqual({
    Plan: 'Essential 0',
    Status: 'Available',
    Connections: '1/20',
    'PG Version': version,
    Created: expect.stringMatching(/^20\d\d-\d\d-\d\d \d\d:\d\d UTC$/),
    'Data Size': expect.stringMatching(/^\d[\d.]* MB\/1 GB \(0\.\d+%\) \(In compliance\)$/),
    Tables: '2',
    'Fork/Follow': 'Unsupported',
    Rollback: 'Unsupported',
    'Continuous Protection': 'Off',
    'Add-on': name,
  })
  const all = await heroku.ok(['pg:info', '-a', app])
  expect(all).toContain('=== DATABASE_URL')
  expect(all).toMatch(/=== HEROKU_POSTGRESQL_\w+_URL/)
  await session.end()
})

test('pg:wait returns when a database can be used', async () => {
  await heroku.ok(['pg:wait', '-a', app])
  const asked = ['addons:create', 'heroku-postgresql:essential-0', '-a', app, '--as', 'LATER']
  await heroku.ok(asked)
  await heroku.ok(['pg:wait', 'LATER', '-a', app, '--wait-interval', '1'])
  expect(await urlOf('LATER_URL')).toMatch(/^postgres:/)
})

test('pg:credentials and pg:credentials:url show the one credential', async () => {
  expect(await heroku.ok(['pg:credentials', '-a', app])).toMatch(/default +active/)
  const said = await heroku.ok(['pg:credentials:url', '-a', app])
  expect(said).toContain(await urlOf())
  const other = await heroku.run(['pg:credentials:url', '-n', 'reports', '-a', app])
  expect(other.code).not.toBe(0)
  expect(other.stderr).toContain('has no such credential')
})

test('a named credential is made, attached, granted something, and destroyed', async () => {
  expect(
    await heroku.ok(['pg:credentials:create', spare, '-a', app, '--name', 'reports']),
  ).toContain(`addons:attach ${spare} --credential reports`)
  const attach = ['addons:attach', spare, '-a', app, '--as', 'READER', '--credential']
  expect((await heroku.run([...attach, 'none'])).stderr).toContain('Could not find credential')
  await heroku.ok([...attach, 'reports'])
  const url = await urlOf('READER_URL')
  const shown = await heroku.ok(['pg:credentials:url', spare, '-n', 'reports', '-a', app])
  expect(shown).toContain(url)
  const reader = await connect(url)
  await expect(reader.query('create table public.t (i int)')).rejects.toThrow('permission denied')
  const renew = ['pg:credentials:rotate', spare, '-n', 'reports', '-a', app, '--confirm', app]
  await heroku.ok(renew)
  const next = await urlOf('READER_URL')
  expect(next).not.toBe(url)
  expect(await heroku.ok(['pg:credentials', spare, '-a', app])).toMatch(/reports +rotating/)
  for (const good of [url, next]) await (await connect(good)).query('select 1')
  await heroku.ok([...renew, '--force'])
  expect([url, next]).not.toContain(await urlOf('READER_URL'))
  await expect(reader.query('select 1')).rejects.toThrow(/terminat|not queryable/)
  const list = await heroku.ok(['pg:credentials', spare, '-a', app])
  expect(list).toMatch(/default[\s\S]*reports +active[\s\S]*READER/)
  await heroku.ok(['addons:detach', 'READER', '-a', app])
  const destroy = ['pg:credentials:destroy', spare, '-n', 'reports', '-a', app, '--confirm', app]
  await heroku.ok(destroy)
  expect((await heroku.run(destroy)).stderr).toContain('has no credential')
})

test('pg:psql speaks TLS, as the CLI demands for other hosts, also with who checks the server', async () => {
  const query = ['-c', 'select ssl, version from pg_stat_ssl where pid = pg_backend_pid()']
  const modes: Record<string, string>[] = [
    { PGSSLMODE: 'require' },
    {
      PGSSLMODE: 'verify-full',
      PGSSLROOTCERT: join(platformEnv['PLEXUS_HOME'] ?? '', 'addon-tls/ca.pem'),
    },
  ]
  for (const mode of modes) {
    const demanding = herokuCli({ ...platformEnv, ...mode })
    expect(await demanding.ok(['pg:psql', '-a', app, ...query])).toMatch(/ t +\| TLSv1\.[23]/)
  }
})

const rotate = ['pg:credentials:rotate', '-a', app, '--confirm', app]

test('pg:credentials:rotate gives the app another url, and both are good', async () => {
  const url = await urlOf()
  const session = await connect()
  await session.query('create table rotated (i int)')
  await heroku.ok(rotate)
  const next = await urlOf()
  expect(next).not.toBe(url)
  const shown = await heroku.ok(['pg:credentials', '-a', app])
  expect(shown).toMatch(/default .*rotating/)
  expect(shown).toContain('1 connections')
  expect(await heroku.ok(['pg:credentials:url', '-a', app])).toContain(next)
  await session.query('insert into rotated values (1)')
  const again = await heroku.run(rotate)
  expect(again.code).not.toBe(0)
  expect(again.stderr).toMatch(/are good until 20[\s\S]*Error ID: conflict/)
})

test('pg:credentials:rotate --all --force ends what was good before at once', async () => {
  const url = await urlOf()
  const session = await connect()
  await session.query('create table forced as select 1 as i')
  await heroku.ok([...rotate, '--all', '--force'])
  await expect(session.query('select 1')).rejects.toThrow(/terminat|not queryable/)
  const former = new pg.Client({ connectionString: url })
  await expect(former.connect()).rejects.toThrow('password authentication failed')
  expect(await heroku.ok(['pg:credentials', '-a', app])).toMatch(/default +active/)
  const { rows } = await (await connect()).query('select i from forced')
  expect(rows).toEqual([{ i: 1 }])
})

test('pg:promote makes another database the primary one, and keeps a name for the former', async () => {
  const before = await urlOf()
  await heroku.ok(['pg:promote', spare, '-a', app])
  expect(await info('DATABASE_URL')).toMatchObject({ 'Add-on': spare })
  expect(await urlOf()).not.toBe(before)
  await heroku.ok(['pg:promote', name, '-a', app])
  expect(await urlOf()).toBe(before)
  const again = await heroku.run(['pg:promote', name, '-a', app])
  expect(again.code).not.toBe(0)
  expect(again.stderr).toContain('already promoted')
})

test('pg:ps shows a query, pg:kill cancels it, pg:killall ends every connection', async () => {
  const [busy, idle] = [await connect(), await connect()]
  const slow = busy.query('select pg_sleep(600)').then(
    () => 'ended by itself',
    (error: Error) => error.message,
  )
  const pid = await eventually(async () => {
    const row = (await heroku.ok(['pg:ps', '-a', app]))
      .split('\n')
      .find((line) => line.includes('pg_sleep(600)'))
    if (!row) throw new Error('the query is not shown')
    return row.trim().split(' ')[0] ?? ''
  }, 30_000)
  await heroku.ok(['pg:kill', pid, '-a', app])
  expect(await slow).toMatch(/canceling statement/)
  await heroku.ok(['pg:locks', '-a', app])
  await heroku.ok(['pg:killall', '-a', app])
  await expect(idle.query('select 1')).rejects.toThrow(/terminat|not queryable/)
})

test('pg:reset empties the database, which keeps its url and is as new', async () => {
  const url = await urlOf()
  const session = await connect()
  await session.query('create schema other create table kept (i int)')
  const refused = await heroku.run(['pg:reset', '-a', app, '--confirm', 'another'])
  expect(refused.code).not.toBe(0)
  const withExtensions = ['pg:reset', '-a', app, '--confirm', app, '-e', 'pg_trgm']
  expect((await heroku.run(withExtensions)).stderr).toContain('create extension')
  expect((await session.query('select count(*)::int as n from other.kept')).rows).toEqual([
    { n: 0 },
  ])
  await heroku.ok(['pg:reset', '-a', app, '--confirm', app])
  expect(await urlOf()).toBe(url)
  expect(await info('DATABASE_URL')).toMatchObject({ Status: 'Available', Tables: '0' })
  const after = await connect()
  await after.query('create table fresh (i int)')
})
