import pg from 'pg'
import { createClient } from 'redis'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import type { NatsConnection } from '@nats-io/transport-node'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient, type RpcClient } from '#lib/rpc.ts'
import { AppsService, type App } from '#proto/apps/v1/apps_pb.ts'
import { BrokerService } from '#proto/broker/v1/broker_pb.ts'
import { natsUrl } from '../../local-platform/service-env.ts'
import { newUser, type TestUser } from '../support/accounts.ts'
import { eventually } from '../support/eventually.ts'
import { startService, type ServiceProcess } from '../support/services.ts'

// The real broker with the real providers: what a customer is given works, and ends.

const engines = inject('engines')
const names = ['apps', 'broker', 'postgres', 'redis'] as const
const services = new Map<string, ServiceProcess>()
const waitMs = 20_000
let nats: NatsConnection
let apps: RpcClient<typeof AppsService>
let broker: RpcClient<typeof BrokerService>
let actor: TestUser
let app: App

const start = async (name: (typeof names)[number]): Promise<void> => {
  services.set(name, await startService(name, engines))
}

const restartAfterKill = async (name: (typeof names)[number]): Promise<void> => {
  await services.get(name)?.kill()
  await start(name)
}

beforeAll(async () => {
  for (const name of names) await start(name)
  const { layout, credentials } = engines
  nats = await connectNats(natsUrl(layout, credentials, 'operator'), 'test', silentLog)
  apps = rpcClient(nats, 'apps', AppsService)
  broker = rpcClient(nats, 'broker', BrokerService)
  actor = await newUser(apps)
  app = await apps.createApp({ actor })
})

afterAll(async () => {
  for (const service of services.values()) await service.stop()
  await nats.close()
})

const create = (plan: string, wait = waitMs) =>
  broker.createAddon({ actor, app: app.id, plan, waitMs: wait }, { timeoutMs: waitMs + 1_000 })
const destroy = (addon: string, wait = waitMs) =>
  broker.destroyAddon({ actor, addon, waitMs: wait }, { timeoutMs: waitMs + 1_000 })
const config = async () => (await apps.getConfigVars({ actor, app: app.id })).vars

const canConnect = async (url: string): Promise<boolean> => {
  const client = new pg.Client(url)
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } catch {
    return false
  } finally {
    await client.end()
  }
}

test('Postgres and Redis are given as DATABASE_URL and REDIS_URL, work, and go', async () => {
  const [database, redis] = [await create('heroku-postgresql'), await create('heroku-redis')]
  expect(database).toMatchObject({ state: 'provisioned', configVars: ['DATABASE_URL'] })
  expect(redis).toMatchObject({ state: 'provisioned', configVars: ['REDIS_TLS_URL', 'REDIS_URL'] })
  const { DATABASE_URL = '', REDIS_URL = '' } = await config()
  expect(DATABASE_URL).toMatch(/^postgres:\/\//)
  expect(await canConnect(DATABASE_URL)).toBe(true)
  const client = createClient({ url: REDIS_URL })
  await client.connect()
  await client.set('key', 'value')
  expect(await client.get('key')).toBe('value')
  client.destroy()

  const second = await create('heroku-postgresql:essential-1')
  expect(second.configVars).toEqual([expect.stringMatching(/^HEROKU_POSTGRESQL_[A-Z]+_URL$/)])

  for (const { id } of [database, redis, second])
    expect((await destroy(id)).state).toBe('deprovisioned')
  expect(await config()).toEqual({})
  expect(await canConnect(DATABASE_URL)).toBe(false)
})

test('kill -9 of broker and provider while databases are made and dropped loses and doubles none', async () => {
  const before = (await apps.listReleases({ actor, app: app.id, limit: 1000 })).releases.length
  const [kept, dropped] = [await create('heroku-postgresql', 0), await create('heroku-postgresql')]
  const url = (await broker.getAddonConfig({ actor, addon: dropped.id })).vars
  const making = create('heroku-postgresql', 0)
  await destroy(dropped.id, 0)
  await Promise.all([restartAfterKill('broker'), restartAfterKill('postgres')])
  const made = await making.catch(() => undefined)
  await eventually(async () => {
    const { addons } = await broker.listAddons({ actor, app: app.id })
    expect(addons.map(({ state }) => state)).not.toContain('provisioning')
    expect(addons.map(({ id }) => id)).not.toContain(dropped.id)
    // A creation that was cut off may have come to nothing; one that was answered may not.
    const answered = made ? [kept.id, made.id] : [kept.id]
    expect(addons.map(({ id }) => id)).toEqual(expect.arrayContaining(answered))
  }, 25_000)
  const urls = Object.values(await config())
  const { addons } = await broker.listAddons({ actor, app: app.id })
  expect(urls).toHaveLength(addons.length)
  for (const each of urls) expect(await canConnect(each)).toBe(true)
  expect(await canConnect(url['HEROKU_POSTGRESQL_URL'] ?? '')).toBe(false)
  const { releases } = await apps.listReleases({ actor, app: app.id, limit: 1000 })
  expect(releases.length - before).toBe(addons.length + 2)
})
