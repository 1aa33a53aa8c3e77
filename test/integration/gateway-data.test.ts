import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import pg from 'pg'
import { silentLog } from '#lib/log.ts'
import type { NatsUser } from '#lib/nats-permissions.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient } from '#lib/rpc.ts'
import { PostgresDataService, RedisDataService } from '#proto/data/v1/data_pb.ts'
import { natsUrl } from '../../local-platform/service-env.ts'
import { addonServerUrl } from '../support/postgres-provider.ts'
import { createAccount } from '../support/accounts.ts'
import { eventually } from '../support/eventually.ts'
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

test('named credentials are the billing app’s people’s, and in use they stay', async () => {
  const all = `/postgres/v0/databases/${postgres.name}/credentials`
  const one = `${all}/reports`
  const shared = await newApp(owner)
  const attach = (client: Client, namespace: string) =>
    client('POST', '/addon-attachments', {
      body: { addon: postgres.name, app: shared, name: 'READER', namespace },
    })
  const asked: [string, string, object | undefined, [number, number, number]][] = [
    ['POST', all, { name: 'reports' }, [200, 403, 404]],
    ['POST', all, { name: 'reports' }, [409, 403, 404]],
    ['POST', all, { name: 'No Name' }, [422, 403, 404]],
    ['GET', one, undefined, [200, 403, 404]],
    ['GET', `${all}/none`, undefined, [404, 403, 404]],
    ['DELETE', `${all}/none`, undefined, [404, 403, 404]],
    ['DELETE', `${all}/default`, undefined, [422, 403, 404]],
    ['POST', `${one}/credentials_rotation`, { forced: true }, [200, 403, 404]],
    ['POST', `${all}/none/credentials_rotation`, {}, [404, 403, 404]],
  ]
  for (const [method, path, body, statuses] of asked) {
    const answers: number[] = []
    // The owner last: what he may do, the others have tried before it was done.
    for (const client of [stranger, guest, owner])
      answers.push((await client(method, path, body && { body })).status)
    expect([method, path, answers]).toEqual([method, path, statuses.toReversed()])
  }
  const names = async (client: Client): Promise<unknown[]> =>
    ((await client('GET', all)).body as { name: string }[]).map(({ name }) => name)
  expect(await names(owner)).toEqual(['default', 'reports'])
  expect(await names(guest)).toEqual(['default'])

  const config = `/addons/${postgres.name}/config/credential:`
  expect((await owner('GET', `${config}none`)).body).toEqual([])
  const { body: found } = await owner('GET', `${config}reports`)
  const value = String(Object(found)[0]?.value)
  expect((await owner('GET', one)).body).toMatchObject({
    credentials: [{ user: new URL(value).username, state: 'active' }],
  })
  for (const [client, status] of [
    [stranger, 404],
    [guest, 403],
  ] as const) {
    expect((await attach(client, 'credential:reports')).status).toBe(status)
    expect((await client('GET', `${config}reports`)).status).toBe(status)
  }
  expect((await attach(owner, 'credential:none')).status).toBe(422)
  const attached = await attach(owner, 'credential:reports')
  expect(attached).toMatchObject({ status: 201, body: { namespace: 'credential:reports' } })
  const { body: vars } = await owner('GET', `/apps/${shared}/config-vars`)
  expect(vars).toEqual({ READER_URL: value })
  const inUse = await owner('DELETE', one)
  expect([inUse.status, String(Object(inUse.body).message)]).toEqual([
    409,
    expect.stringContaining(`attached to ${shared}`),
  ])
  await owner('DELETE', `/addon-attachments/${Object(attached.body).id}`)
  expect((await owner('DELETE', one)).status).toBe(200)
  expect(await names(owner)).toEqual(['default'])
})

test('backups are for the people of the billing app alone, and so are schedules', async () => {
  const ofDatabase = `/client/v11/databases/${postgres.id}`
  const transfers = `/client/v11/apps/${app}/transfers`
  const schedules = `${ofDatabase}/transfer-schedules`
  const schedule = { hour: '02', timezone: 'UTC', schedule_name: 'DATABASE_URL' }
  const began = await owner('POST', `${ofDatabase}/backups`)
  expect(began).toMatchObject({ status: 201, body: { num: 1, from_name: postgres.name } })
  const made = await eventually(async () => {
    const { body } = await owner('GET', `${transfers}/1?verbose=true`)
    expect(body).toMatchObject({ succeeded: true, uuid: Object(began.body).uuid })
    return body as { to_url: string; uuid: string }
  })
  const daily = (await owner('POST', schedules, { body: schedule })).body as { uuid: string }
  const asked: [string, string, object | undefined, [number, number, number]][] = [
    ['POST', `${ofDatabase}/backups`, undefined, [201, 403, 404]],
    ['POST', `${ofDatabase}/restores`, { backup_url: made.to_url }, [201, 403, 404]],
    ['POST', `${ofDatabase}/transfers`, { from_url: 'x', to_url: 'y' }, [422, 403, 404]],
    ['GET', transfers, undefined, [200, 404, 404]],
    ['GET', `${transfers}/${made.uuid}`, undefined, [200, 404, 404]],
    ['POST', `${transfers}/1/actions/public-url`, undefined, [200, 404, 404]],
    ['POST', `${transfers}/1/actions/cancel`, undefined, [409, 404, 404]],
    ['GET', schedules, undefined, [200, 403, 404]],
    ['POST', schedules, schedule, [201, 403, 404]],
    ['DELETE', `${schedules}/${daily.uuid}`, undefined, [200, 403, 404]],
  ]
  for (const [method, path, body, statuses] of asked) {
    const clients = [stranger, guest, owner].map((client) =>
      client(method, path, body && { body }).then(({ status }) => status),
    )
    expect([method, path, await Promise.all(clients)]).toEqual([
      method,
      path,
      statuses.toReversed(),
    ])
  }
  // Who knows a backup's id, or its number, but not its app, does not get it with his own app's
  // help.
  const own = await newApp(stranger)
  for (const transfer of [made.uuid, '1'])
    for (const [method, action] of [
      ['GET', ''],
      ['POST', '/actions/public-url'],
      ['DELETE', ''],
    ] as const) {
      const path = `/client/v11/apps/${own}/transfers/${transfer}${action}`
      expect([path, (await stranger(method, path)).status]).toEqual([path, 404])
    }
  const { body } = await stranger('POST', `/apps/${own}/addons`, {
    body: { plan: 'heroku-postgresql:essential-0' },
  })
  const { id } = body as Addon
  const theft = { body: { backup_url: made.to_url } }
  expect(await stranger('POST', `/client/v11/databases/${id}/restores`, theft)).toMatchObject({
    status: 404,
    body: { resource: 'backup' },
  })
  await stranger('DELETE', `/apps/${own}/addons/${id}`, { body: { force: true } })
})

test('a download address is good for what it was made for, and cannot be made up', async () => {
  const path = `/client/v11/apps/${app}/transfers/1/actions/public-url`
  const { url } = (await owner('POST', path)).body as { url: string }
  const answer = await fetch(url)
  expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store'])
  const file = Buffer.from(await answer.arrayBuffer())
  expect(file.length).toBe(Number(answer.headers.get('content-length')))
  expect(file.subarray(0, 5).toString()).toBe('PGDMP')
  const last = url.at(-3) === 'A' ? 'B' : 'A'
  for (const wrong of [`${url.slice(0, -3)}${last}${url.slice(-2)}`, url.slice(0, -9)])
    expect((await fetch(wrong)).status).toBe(401)
  // It is enough to restore from; an address of somebody else's is not.
  const restores = `/client/v11/databases/${postgres.id}/restores`
  const elsewhere = { backup_url: 'https://example.com/latest.dump' }
  expect((await owner('POST', restores, { body: elsewhere })).status).toBe(422)
  await eventually(async () =>
    expect((await owner('POST', restores, { body: { backup_url: url } })).status).toBe(201),
  )
  await owner('DELETE', `/client/v11/apps/${app}/transfers/1`)
  expect((await fetch(url)).status).toBe(404)
})

test('kill -9 while a backup is made: it is made once, and nothing else is left', async () => {
  // The restore of the last test has come to its end.
  const body = await eventually(async () => {
    const info = await owner('GET', `/client/v11/databases/${postgres.id}`)
    expect(info.body).toMatchObject({ 'waiting?': false })
    return info.body
  })
  const customer = new pg.Client({ connectionString: String(Object(body).resource_url) })
  await customer.connect()
  // pg_dump waits for the parent, behind what reads the snapshot along with it.
  await customer.query(`create table parent (i int) partition by range (i);
    create table child partition of parent default; insert into parent values (1), (2)`)
  await customer.query('begin; lock table only parent in access exclusive mode')
  const began = await owner('POST', `/client/v11/databases/${postgres.id}/backups`)
  const { uuid } = began.body as { uuid: string }
  const server = new pg.Client({ connectionString: addonServerUrl(engines) })
  await server.connect()
  const waiting = async (): Promise<number[]> => {
    const { rows } = await server.query<{ pid: number }>(
      `select pid from pg_stat_activity where application_name = 'plexus transfer' and wait_event_type = 'Lock'`,
    )
    return rows.map(({ pid }) => pid)
  }
  const first = await eventually(async () => {
    const pids = await waiting()
    expect(pids).toHaveLength(1)
    return pids
  })
  await services[2]?.kill()
  services[2] = await startService('postgres', engines)
  // The next run ends what the killed one left, and waits in its place.
  await eventually(async () => {
    const pids = await waiting()
    expect(pids).toHaveLength(1)
    expect(pids).not.toEqual(first)
  }, 20_000)
  await customer.end()
  await eventually(async () => {
    const transfer = await owner('GET', `/client/v11/apps/${app}/transfers/${uuid}`)
    expect(transfer.body).toMatchObject({ succeeded: true })
  }, 20_000)
  await eventually(async () => {
    const { rows } = await server.query(
      `select datname as name from pg_database where starts_with(datname, 's' || $1)
       union all select rolname from pg_roles where starts_with(rolname, 'b' || $1)`,
      [uuid.replaceAll('-', '')],
    )
    expect(rows).toEqual([])
    const files = await readdir(join(engines.layout.home, 'postgres-backups'))
    expect(files.filter((file) => file.startsWith(uuid) && file.endsWith('.dump'))).toHaveLength(1)
  })
  await server.end()
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
