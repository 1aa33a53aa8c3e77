import pg from 'pg'
import { createClient } from 'redis'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { createAccount } from '../support/accounts.ts'
import { eventually } from '../support/eventually.ts'
import { apiClient } from '../support/http.ts'
import { startService, type ServiceProcess } from '../support/services.ts'

// Credentials are rotated under clients that do not stop asking, and the services that do it are
// killed meanwhile.

const engines = inject('engines')
/** Long enough that the services die and come back in it. */
const overlapSeconds = 5
/** A connection of a client that is at work is as old as that before it is replaced. */
const queriesPerConnection = 40

const services = new Map<string, ServiceProcess>()
let api: ReturnType<typeof apiClient>
let app: string

const start = async (name: 'apps' | 'broker' | 'postgres' | 'redis' | 'api'): Promise<void> => {
  const settings = { PLEXUS_ROTATION_OVERLAP_SECONDS: String(overlapSeconds) }
  services.set(name, await startService(name, engines, settings))
}

beforeAll(async () => {
  for (const name of ['apps', 'broker', 'postgres', 'redis', 'api'] as const) await start(name)
  const { token } = await createAccount(engines)
  api = apiClient(`http://127.0.0.1:${engines.layout.ports.api}`, token)
  app = String(Object((await api('POST', '/apps')).body).name)
})

afterAll(async () => {
  await api('DELETE', `/apps/${app}`)
  for (const service of [...services.values()].toReversed()) await service.stop()
})

async function addAddon(plan: string): Promise<string> {
  const { status, body } = await api('POST', `/apps/${app}/addons`, { body: { plan } })
  expect(status).toBe(201)
  return String(Object(body).name)
}

const urlOf = async (variable: string): Promise<string> =>
  String(Object((await api('GET', `/apps/${app}/config-vars`)).body)[variable])

/** What a client does with one connection; each call of `query` writes one thing more. */
type Connection = { query: () => Promise<unknown>; end: () => Promise<void> }

/**
 * Processes of an app: each reads the config, asks with that for as long as a connection lasts, and
 * reads the config again. Nothing is tried a second time.
 */
function keepAsking(variable: string, connect: (url: string) => Promise<Connection>) {
  const asked: Record<string, number> = {}
  const failures: unknown[] = []
  let stopped = false
  const work = async (): Promise<void> => {
    while (!stopped) {
      try {
        const url = await urlOf(variable)
        const connection = await connect(url)
        for (let n = 0; n < queriesPerConnection && !stopped; n++) {
          await connection.query()
          asked[url] = (asked[url] ?? 0) + 1
        }
        await connection.end()
      } catch (error) {
        failures.push(error)
      }
    }
  }
  const workers = [work(), work()]
  return {
    /** Queries that were answered, by the url that they were asked with. */
    asked,
    failures,
    stop: async (): Promise<number> => {
      stopped = true
      await Promise.all(workers)
      return Object.values(asked).reduce((sum, count) => sum + count, 0)
    },
  }
}

const connectPostgres = async (url: string) => {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  return {
    client,
    query: () => client.query('insert into visits default values'),
    end: () => client.end(),
  }
}

const connectRedis = async (url: string) => {
  const client = createClient({ url, socket: { reconnectStrategy: false } })
  client.on('error', () => undefined)
  await client.connect()
  return { client, query: () => client.incr('visits'), end: () => client.close() }
}

const releases = async (): Promise<string[]> => {
  const { body } = await api('GET', `/apps/${app}/releases`)
  return (body as { description: string }[]).map(({ description }) => description)
}

const updatesIn = (texts: string[], variable: string): string[] =>
  texts.filter((text) => text.startsWith('Update ') && text.includes(variable))

/** The services that rotate die and come back; what they were at goes on. */
async function killAndStart(...names: ('broker' | 'postgres' | 'redis')[]): Promise<void> {
  for (const name of names) {
    await services.get(name)?.kill()
    await start(name)
  }
}

test('a Postgres client keeps asking through a rotation without one failed query', async () => {
  const name = await addAddon('heroku-postgresql:essential-0')
  const oldUrl = await urlOf('DATABASE_URL')
  const first = await connectPostgres(oldUrl)
  await first.client.query('create table visits (id serial)')
  await first.end()
  const clients = keepAsking('DATABASE_URL', connectPostgres)
  await eventually(() => expect(clients.asked[oldUrl]).toBeGreaterThan(100))

  const path = `/postgres/v0/databases/${name}/credentials`
  const answer = await api('POST', `${path}/default/credentials_rotation`, { body: {} })
  expect(answer).toMatchObject({
    status: 200,
    body: { message: expect.stringMatching(/has new credentials.* good until 20/) },
  })
  const newUrl = await urlOf('DATABASE_URL')
  expect(newUrl).not.toBe(oldUrl)
  const again = await api('POST', `${path}/default/credentials_rotation`, { body: {} })
  expect([again.status, Object(again.body).message]).toEqual([
    409,
    expect.stringMatching(
      `former ones are good until .* at once: heroku pg:credentials:rotate ${name} --force\\.$`,
    ),
  ])
  expect((await api('GET', `${path}/default`)).body).toMatchObject({
    state: 'rotating',
    credentials: [{ state: 'active' }, { state: 'revoking', user: new URL(oldUrl).username }],
  })
  const late = await connectPostgres(oldUrl)
  await late.query()
  await late.end()
  await killAndStart('broker', 'postgres')
  await eventually(async () => {
    expect((await api('GET', `${path}/default`)).body).toMatchObject({ state: 'active' })
  }, 30_000)
  await eventually(() => expect(clients.asked[newUrl]).toBeGreaterThan(100))
  const count = await clients.stop()
  expect(clients.failures).toEqual([])
  await expect(connectPostgres(oldUrl)).rejects.toThrow('password authentication failed')
  const last = await connectPostgres(newUrl)
  const { rows } = await last.client.query('select count(*)::int as count from visits')
  expect(rows).toEqual([{ count: count + 1 }])
  await last.end()
  expect(updatesIn(await releases(), 'DATABASE_URL')).toEqual([
    'Update DATABASE_URL by heroku-postgresql',
  ])
}, 60_000)

test('a Redis client keeps asking through a rotation without one failed command', async () => {
  const name = await addAddon('heroku-redis:mini')
  const oldUrl = await urlOf('REDIS_URL')
  const clients = keepAsking('REDIS_URL', connectRedis)
  await eventually(() => expect(clients.asked[oldUrl]).toBeGreaterThan(100))

  const path = `/redis/v0/databases/${name}/credentials_rotation`
  expect((await api('POST', path, { body: {} })).status).toBe(200)
  const newUrl = await urlOf('REDIS_URL')
  expect(newUrl).not.toBe(oldUrl)
  const again = await api('POST', path, { body: {} })
  expect([again.status, Object(again.body).message]).toEqual([
    409,
    expect.stringMatching(
      `former ones are good until .* at once: POST ${path} with {"forced":true}, which the CLI` +
        ' has no command for\\.$',
    ),
  ])
  const late = await connectRedis(oldUrl)
  await late.query()
  await late.end()
  await killAndStart('broker', 'redis')
  const isGood = async (url: string): Promise<boolean> => {
    const connection = await connectRedis(url).catch((error: Error) => {
      if (error.message.includes('WRONGPASS')) return undefined
      throw error
    })
    await connection?.end()
    return connection !== undefined
  }
  await eventually(async () => expect(await isGood(oldUrl)).toBe(false), 30_000)
  await eventually(() => expect(clients.asked[newUrl]).toBeGreaterThan(100))
  const count = await clients.stop()
  expect(clients.failures).toEqual([])
  const last = await connectRedis(newUrl)
  // The late one is among them.
  expect(Number(await last.client.get('visits'))).toBe(count + 1)
  await last.end()
  expect(updatesIn(await releases(), 'REDIS_URL')).toEqual([
    'Update REDIS_TLS_URL, REDIS_URL by heroku-redis',
  ])
}, 60_000)
