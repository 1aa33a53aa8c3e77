import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createClient } from 'redis'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { herokuCli } from '../support/heroku-cli.ts'

const platformEnv = inject('platformEnv')
const heroku = herokuCli(platformEnv)
const app = 'cli-redis'
const name = 'cli-redis-main'
const spare = 'cli-redis-spare'

beforeAll(async () => {
  await heroku.ok(['apps:create', app])
  const create = ['addons:create', 'heroku-redis:mini', '-a', app, '--wait', '--name']
  await heroku.ok([...create, name])
  await heroku.ok([...create, spare])
})

afterAll(() => heroku.run(['apps:destroy', app, '--confirm', app]))

const urlOf = async (variable = 'REDIS_URL'): Promise<string> => {
  const config: unknown = JSON.parse(await heroku.ok(['config', '-a', app, '--json']))
  return String(Object(config)[variable])
}

/** Lines of `redis:info`, "Version:   7.0.15", by their names. */
const info = async (database: string): Promise<Record<string, string>> => {
  const lines = (await heroku.ok(['redis:info', database, '-a', app])).split('\n')
  const rows = lines.map((line) => /^([\w /-]+): +(.*)$/.exec(line))
  return Object.fromEntries(rows.flatMap((row) => (row ? [[row[1] ?? '', row[2] ?? '']] : [])))
}

test('redis:info shows what an instance is and what it uses of its plan', async () => {
  const client = await createClient({ url: await urlOf() }).connect()
  const version = /redis_version:(\S+)/.exec(await client.info('server'))?.[1]
  expect(await info(name)).toEqual({
    Plan: 'Mini',
    Status: 'available',
    Created: expect.stringMatching(/^20\d\d-\d\d-\d\d \d\d:\d\d UTC$/),
    Version: version,
    Connections: '1/20',
    Memory: expect.stringMatching(/^[\d.]+ [KM]B\/25 MB \(\d+\.\d\d%\)$/),
    Timeout: '0',
    Maxmemory: 'noeviction',
    'Keyspace Notifications': 'Disabled',
    Persistence: 'AOF',
    'Requires TLS': 'No',
  })
  client.destroy()
  const all: unknown = JSON.parse(await heroku.ok(['redis:info', '--json', '-a', app]))
  expect(all).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        ...{ name, plan: 'mini', prefer_native_tls: true },
        resource_url: await urlOf('REDIS_TLS_URL'),
      }),
      expect.objectContaining({ name: spare, app: expect.objectContaining({ name: app }) }),
    ]),
  )
})

test('redis:wait returns when an instance can be used', async () => {
  await heroku.ok(['addons:create', 'heroku-redis:mini', '-a', app, '--name', 'cli-redis-later'])
  await heroku.ok(['redis:wait', 'cli-redis-later', '-a', app, '--wait-interval', '1'])
  expect(await info('cli-redis-later')).toMatchObject({ Status: 'available' })
  await heroku.ok(['addons:destroy', 'cli-redis-later', '-a', app, '--confirm', app])
})

test('redis:credentials prints the url for TLS', async () => {
  const said = (await heroku.ok(['redis:credentials', name, '-a', app])).trim()
  expect(said).toBe(await urlOf('REDIS_TLS_URL'))
  const ca = await readFile(join(platformEnv['PLEXUS_HOME'] ?? '', 'addon-tls/ca.pem'), 'utf8')
  const client = await createClient({ url: said, socket: { tls: true, ca } }).connect()
  expect(await client.ping()).toBe('PONG')
  client.destroy()
})

test('redis:credentials --reset gives the app another url, and both are good', async () => {
  const url = await urlOf()
  const reset = ['redis:credentials', name, '--reset', '-a', app]
  await heroku.ok(reset)
  const next = await urlOf()
  expect(next).not.toBe(url)
  expect(new URL(await urlOf('REDIS_TLS_URL')).password).toBe(new URL(next).password)
  for (const good of [url, next]) {
    const client = await createClient({ url: good }).connect()
    expect(await client.ping()).toBe('PONG')
    client.destroy()
  }
  const again = await heroku.run(reset)
  expect(again.code).not.toBe(0)
  expect(again.stderr).toMatch(/are good until 20[\s\S]*Error ID: conflict/)
})

test('redis:cli talks TLS to an instance, and warns of nothing', async () => {
  const { port, password } = new URL(await urlOf('REDIS_TLS_URL'))
  const typed = [{ question: '> ', text: 'CLIENT LIST' }]
  const { code, stdout, stderr } = await heroku.run(['redis:cli', name, '-a', app], typed)
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: expect.stringMatching(new RegExp(`laddr=\\S+:${port} .* cmd=client\\|list`)),
  })
  expect(stdout).toContain('Disconnected from instance.')
  expect(stdout + stderr).not.toMatch(/Insecure action/)
  expect(stdout + stderr).not.toContain(password)
})

test('redis:promote makes another instance the primary one, and keeps a name for the former', async () => {
  const before = await urlOf()
  await heroku.ok(['redis:promote', spare, '-a', app])
  const after = await urlOf()
  expect(after).not.toBe(before)
  const config: unknown = JSON.parse(await heroku.ok(['config', '-a', app, '--json']))
  expect(Object.values(Object(config))).toEqual(expect.arrayContaining([before, after]))
  await heroku.ok(['redis:promote', name, '-a', app])
  expect(await urlOf()).toBe(before)
})

test('redis:maxmemory and redis:timeout set what redis:info shows and the instance does', async () => {
  const policy = ['redis:maxmemory', name, '-a', app, '--policy', 'allkeys-lru']
  expect(await heroku.ok(policy)).toContain('set to allkeys-lru.')
  const timeout = ['redis:timeout', name, '-a', app, '--seconds', '120']
  expect(await heroku.ok(timeout)).toContain('stopped after idling for 120 seconds')
  const events = ['redis:keyspace-notifications', name, '-a', app, '-c', 'Ex']
  expect(await heroku.ok(events)).toContain(`set to 'Ex'.`)
  expect(await info(name)).toMatchObject({
    Status: 'available',
    Timeout: '120',
    Maxmemory: 'allkeys-lru',
    'Keyspace Notifications': 'Ex',
  })
  const client = await createClient({ url: await urlOf() }).connect()
  expect(await client.info('memory')).toContain('maxmemory_policy:allkeys-lru')
  client.destroy()
  const unknown = await heroku.run([...policy.slice(0, -1), 'newest-first'])
  expect(unknown.code).not.toBe(0)
  expect(unknown.stderr).toContain('There is no policy')
})
