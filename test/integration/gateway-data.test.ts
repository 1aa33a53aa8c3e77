import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import pg from 'pg'
import { silentLog } from '#lib/log.ts'
import type { NatsUser } from '#lib/nats-permissions.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient } from '#lib/rpc.ts'
import { PostgresDataService, RedisDataService } from '#proto/data/v1/data_pb.ts'
import { natsUrl } from '../../local-platform/service-env.ts'
import { createAccount } from '../support/accounts.ts'
import { apiClient } from '../support/http.ts'
import { startService, type ServiceProcess } from '../support/services.ts'

// Who may ask the data API about which add-on, and what of it may be changed by whom.

const engines = inject('engines')
const services: ServiceProcess[] = []
type Client = ReturnType<typeof apiClient>
type Addon = { id: string; name: string; config_vars: string[] }
let owner: Client
let guest: Client
let stranger: Client
let app: string
let postgres: Addon
let redis: Addon

const newClient = async (): Promise<Client & { email: string }> => {
  const { token, email } = await createAccount(engines)
  const client = apiClient(`http://127.0.0.1:${engines.layout.ports.api}`, token)
  return Object.assign(client, { email })
}

const newApp = async (client: Client): Promise<string> =>
  String(Object((await client('POST', '/apps')).body).name)

const newAddon = async (plan: string): Promise<Addon> => {
  const { status, body } = await owner('POST', `/apps/${app}/addons`, { body: { plan } })
  expect(status).toBe(201)
  return body as Addon
}

beforeAll(async () => {
  for (const name of ['apps', 'broker', 'postgres', 'redis', 'api'] as const)
    services.push(await startService(name, engines))
  const guestClient = await newClient()
  ;[owner, guest, stranger] = [await newClient(), guestClient, await newClient()]
  app = await newApp(owner)
  postgres = await newAddon('heroku-postgresql:essential-0')
  redis = await newAddon('heroku-redis:mini')
  // The guest sees both add-ons through an app that they are attached to, and not their own app.
  const shared = await newApp(owner)
  for (const { name: addon } of [postgres, redis])
    await owner('POST', '/addon-attachments', { body: { addon, app: shared } })
  const user = guestClient.email
  await owner('POST', `/apps/${shared}/collaborators`, { body: { user } })
})

afterAll(async () => {
  for (const { id } of [postgres, redis])
    await owner('DELETE', `/apps/${app}/addons/${id}`, { body: { force: true } })
  for (const service of services.toReversed()) await service.stop()
})

const reads = (): [string, string][] => [
  ['GET', `/client/v11/databases/${postgres.id}`],
  ['GET', `/client/v11/databases/${postgres.name}/wait_status`],
  ['GET', `/postgres/v0/databases/${postgres.id}/credentials`],
  ['GET', `/postgres/v0/databases/${postgres.name}/credentials/default`],
  ['GET', `/redis/v0/databases/${redis.name}`],
  ['GET', `/redis/v0/databases/${redis.id}/wait`],
  ['GET', `/redis/v0/databases/${redis.id}/config`],
]
const changes = (): [string, string, object][] => [
  ['PUT', `/client/v11/databases/${postgres.id}/reset`, {}],
  ['POST', `/client/v11/databases/${postgres.id}/connection_reset`, {}],
  ['PATCH', `/redis/v0/databases/${redis.id}/config`, { timeout: 60 }],
  ['POST', `/postgres/v0/databases/${postgres.name}/credentials_rotation`, { forced: true }],
  [
    'POST',
    `/postgres/v0/databases/${postgres.id}/credentials/default/credentials_rotation`,
    { forced: true },
  ],
  ['POST', `/redis/v0/databases/${redis.name}/credentials_rotation`, { forced: true }],
]

test('who may see an add-on reads all of it, also by another app; a stranger finds nothing', async () => {
  for (const [method, path] of reads()) {
    const statuses = [owner, guest, stranger].map((client) => client(method, path))
    const answers = await Promise.all(statuses)
    expect([path, ...answers.map(({ status }) => status)]).toEqual([path, 200, 200, 404])
    expect(answers[2]?.body).toMatchObject({ id: 'not_found', resource: 'add_on' })
  }
})

test('only the people of the app that an add-on is billed to may change it', async () => {
  for (const [method, path, body] of changes()) {
    const asked = [owner, guest, stranger].map((client) => client(method, path, { body }))
    const answers = await Promise.all(asked)
    expect([path, ...answers.map(({ status }) => status)]).toEqual([path, 200, 403, 404])
  }
})

test('without a token nothing is told', async () => {
  const nobody = apiClient(`http://127.0.0.1:${engines.layout.ports.api}`, 'HRKU-none')
  for (const [method, path] of [...reads(), ...changes()])
    expect((await nobody(method, path)).status).toBe(401)
})

test('the token may come as the password of the Basic scheme, and no version needs to be named', async () => {
  const { token } = await createAccount(engines)
  const headers = { Authorization: `Basic ${btoa(`:${token}`)}`, Accept: '*/*' }
  const path = `/postgres/v0/databases/${postgres.name}/credentials/default`
  expect((await stranger('GET', path, { headers })).status).toBe(404)
})

test('an add-on of another kind is not found, and wrong settings are refused with the reason', async () => {
  expect((await owner('GET', `/client/v11/databases/${redis.id}`)).status).toBe(404)
  expect((await owner('GET', `/redis/v0/databases/${postgres.id}`)).status).toBe(404)
  const path = `/redis/v0/databases/${redis.id}/config`
  for (const body of [
    { maxmemory_policy: 'noeviction\nrequirepass x' },
    { notify_keyspace_events: 'K\nuser x' },
    { timeout: 2 ** 31 - 1 },
    { timeout: -1 },
    { timeout: '60' },
    { dir: '/tmp' },
  ])
    expect([body, (await owner('PATCH', path, { body })).status]).toEqual([body, 422])
})

test('a reset empties what its owner wrote', async () => {
  const { body } = await owner('GET', `/client/v11/databases/${postgres.id}`)
  const client = new pg.Client({ connectionString: String(Object(body).resource_url) })
  client.on('error', () => undefined)
  await client.connect()
  await client.query('create table kept (i int)')
  const again = () => owner('PUT', `/client/v11/databases/${postgres.id}/reset`, { body: {} })
  // Two at the same time are one.
  const answers = await Promise.all([again(), again()])
  for (const { status, body: said } of answers)
    expect([status, said]).toEqual([200, { message: `${postgres.name} is empty.` }])
  await expect(client.query('select 1')).rejects.toThrow(/terminat|not queryable/)
  const after = await owner('GET', `/client/v11/databases/${postgres.id}`)
  expect(after.body).toMatchObject({
    num_tables: 0,
    'waiting?': false,
    resource_url: expect.any(String),
  })
})

test('nobody but the api may ask the providers for their data', async () => {
  const { layout, credentials } = engines
  const asked = { addonId: postgres.id }
  for (const user of [
    'apps',
    'broker',
    'logplex',
    'postgres',
    'redis',
    'webhooks',
  ] satisfies NatsUser[]) {
    const nats = await connectNats(natsUrl(layout, credentials, user), 'test', silentLog)
    const clients = [
      rpcClient(nats, 'data.postgres', PostgresDataService).getDatabase(asked, { timeoutMs: 500 }),
      rpcClient(nats, 'data.redis', RedisDataService).getInstance(asked, { timeoutMs: 500 }),
    ]
    for (const answer of await Promise.allSettled(clients))
      expect([user, answer]).toMatchObject([
        user,
        { status: 'rejected', reason: { message: expect.stringContaining('may not be asked') } },
      ])
    await nats.close()
  }
})
