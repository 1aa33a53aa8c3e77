import pg from 'pg'
import { createClient } from 'redis'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { herokuCli } from '../support/heroku-cli.ts'

const heroku = herokuCli(inject('platformEnv'))
const app = 'cli-addons'
const other = 'cli-addons-other'

beforeAll(async () => {
  await heroku.ok(['apps:create', app])
  await heroku.ok(['apps:create', other])
})

afterAll(async () => {
  await heroku.run(['apps:destroy', other, '--confirm', other])
  await heroku.run(['apps:destroy', app, '--confirm', app])
})

type Addon = { name: string; state: string; config_vars: string[]; plan: { name: string } }
const addons = async (): Promise<Addon[]> =>
  JSON.parse(await heroku.ok(['addons', '-a', app, '--json'])) as Addon[]
const config = async (of: string): Promise<Record<string, string>> =>
  JSON.parse(await heroku.ok(['config', '-a', of, '--json'])) as Record<string, string>
const descriptions = async (of: string): Promise<string[]> => {
  const list = await heroku.ok(['releases', '-a', of, '--json'])
  return (JSON.parse(list) as { description: string }[]).map(({ description }) => description)
}

test('addons:services and addons:plans show what there is', async () => {
  const services = await heroku.ok(['addons:services'])
  expect(services).toContain('heroku-postgresql')
  expect(services).toContain('heroku-redis')
  const plans = await heroku.ok(['addons:plans', 'heroku-postgresql'])
  expect(plans).toContain('heroku-postgresql:essential-0')
  expect(plans).toContain('heroku-postgresql:standard-0')
})

test('addons:create --wait gives a database that works and one release', async () => {
  await heroku.ok([
    ...['addons:create', 'heroku-postgresql:essential-0', '-a', app, '--wait'],
    ...['--name', 'cli-main-db'],
  ])
  const { DATABASE_URL } = await config(app)
  expect(DATABASE_URL).toMatch(/^postgres:\/\//)
  const client = new pg.Client({ connectionString: `${DATABASE_URL}` })
  await client.connect()
  expect((await client.query('select 1 + 1 as two')).rows).toEqual([{ two: 2 }])
  await client.end()
  const all = await descriptions(app)
  expect(all.filter((text) => text === 'Attach DATABASE (@ref:cli-main-db)')).toHaveLength(1)
})

test('addons:create without --wait, and a second database gets a colour or the name of --as', async () => {
  await heroku.ok(['addons:create', 'heroku-redis:mini', '-a', app, '--name', 'cli-main-redis'])
  await heroku.ok(['addons:wait', 'cli-main-redis', '-a', app])
  const { REDIS_URL } = await config(app)
  const client = await createClient({ url: `${REDIS_URL}` }).connect()
  expect(await client.ping()).toBe('PONG')
  client.destroy()

  await heroku.ok(['addons:create', 'heroku-postgresql:essential-0', '-a', app, '--wait'])
  await heroku.ok([
    ...['addons:create', 'heroku-postgresql:essential-0', '-a', app],
    ...['--as', 'REPORTS', '--wait'],
  ])
  const names = Object.keys(await config(app))
  expect(names).toContain('REPORTS_URL')
  expect(names.some((name) => /^HEROKU_POSTGRESQL_[A-Z]+_URL$/.test(name))).toBe(true)
})

test('addons, addons --all and addons:info show them', async () => {
  expect(await heroku.ok(['addons', '-a', app])).toContain('cli-main-db')
  expect(await heroku.ok(['addons', '--all'])).toContain('cli-main-redis')
  const info = await heroku.ok(['addons:info', 'cli-main-db', '-a', app])
  expect(info).toContain('heroku-postgresql:essential-0')
  expect(info).toMatch(/State:\s+created/)
})

test('users cannot overwrite what an attachment owns', async () => {
  const { code, stderr } = await heroku.run(['config:set', 'DATABASE_URL=mine', '-a', app])
  expect(code).not.toBe(0)
  expect(stderr).toContain('Cannot overwrite attachment values DATABASE_URL.')
})

test('addons:upgrade and addons:downgrade change what a database may do, under its URL', async () => {
  const { DATABASE_URL } = await config(app)
  const client = new pg.Client({ connectionString: `${DATABASE_URL}` })
  await client.connect()
  const limit = async (): Promise<number> => {
    const { rows } = await client.query('select rolconnlimit from pg_roles where rolname = user')
    return Number(rows[0].rolconnlimit)
  }
  const before = await limit()
  await heroku.ok(['addons:upgrade', 'cli-main-db', 'heroku-postgresql:essential-2', '-a', app])
  expect(await limit()).toBe(2 * before)
  expect((await descriptions(app))[0]).toBe(
    'Change @ref:cli-main-db to heroku-postgresql:essential-2',
  )
  await heroku.ok(['addons:downgrade', 'cli-main-db', 'heroku-postgresql:essential-0', '-a', app])
  expect(await limit()).toBe(before)
  await client.end()
  expect(await config(app)).toMatchObject({ DATABASE_URL })
})

test('addons:attach shares a database with another app, addons:detach takes it back', async () => {
  await heroku.ok(['addons:attach', 'cli-main-db', '-a', other, '--as', 'SHARED'])
  expect((await config(other))['SHARED_URL']).toBe((await config(app))['DATABASE_URL'])
  expect((await descriptions(other))[0]).toBe('Attach SHARED (@ref:cli-main-db)')
  await heroku.ok(['addons:detach', 'SHARED', '-a', other])
  expect(await config(other)).toEqual({})
  expect((await descriptions(other))[0]).toBe('Detach SHARED (@ref:cli-main-db)')
})

test('addons:rename renames', async () => {
  await heroku.ok(['addons:rename', 'cli-main-redis', 'cli-renamed-redis'])
  expect((await addons()).map(({ name }) => name)).toContain('cli-renamed-redis')
})

test('pg:psql runs a query in the database', async () => {
  const out = await heroku.ok([
    'pg:psql',
    'DATABASE_URL',
    '-a',
    app,
    '-c',
    'select 40 + 2 as answer',
  ])
  expect(out).toContain('42')
})

test('addons:destroy drops the database and its variables with one release', async () => {
  const url = `${(await config(app))['DATABASE_URL']}`
  await heroku.ok(['addons:destroy', 'cli-main-db', '-a', app, '--confirm', app])
  expect(await config(app)).not.toHaveProperty('DATABASE_URL')
  expect((await descriptions(app))[0]).toBe('Detach DATABASE (@ref:cli-main-db)')
  const client = new pg.Client({ connectionString: url })
  await expect(client.connect()).rejects.toMatchObject({
    code: expect.stringMatching(/^(28P01|3D000)$/),
  })
  const gone = await heroku.run(['addons:info', 'cli-main-db', '-a', app])
  expect(gone.code).not.toBe(0)
  expect(gone.stderr).toContain("Couldn't find that add-on.")
})

test('an unknown plan or service is refused with the reason', async () => {
  const plan = await heroku.run(['addons:create', 'heroku-postgresql:gigantic', '-a', app])
  expect(plan.code).not.toBe(0)
  expect(plan.stderr).toMatch(/gigantic|plan/i)
  const service = await heroku.run(['addons:create', 'no-such-service', '-a', app])
  expect(service.code).not.toBe(0)
})
