import type { NatsConnection } from '@nats-io/transport-node'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { isPlexusError } from '#lib/errors.ts'
import { newId, type AddonId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient, type RpcClient } from '#lib/rpc.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { ProviderService } from '#proto/provider/v1/provider_pb.ts'
import { databaseUrl, natsUrl } from '../../local-platform/service-env.ts'
import { eventually } from '../../test/support/eventually.ts'
import { addonServerUrl, connectCustomer } from '../../test/support/postgres-provider.ts'
import { startService, type ServiceProcess } from '../../test/support/services.ts'

// The provider as a real process, asked over NATS as the broker asks it.

const engines = inject('engines')
const { layout, credentials } = engines
let nats: NatsConnection
let provider: RpcClient<typeof ProviderService>
let service: ServiceProcess
let table: pg.Pool
let server: pg.Pool

const settings = { PLEXUS_ADDON_POSTGRES_SIZE_CHECK_SECONDS: '1' }
/** A lease of the killed process has to run out first. */
const afterKillMs = 25_000

beforeAll(async () => {
  nats = await connectNats(natsUrl(layout, credentials, 'broker'), 'test-broker', silentLog)
  provider = rpcClient(nats, 'provider.postgres', ProviderService)
  table = new pg.Pool({
    connectionString: databaseUrl(layout, credentials, 'postgres'),
    options: '-c search_path=postgres',
  })
  server = new pg.Pool({ connectionString: addonServerUrl(engines) })
  service = await startService('postgres', engines, settings)
})

afterAll(async () => {
  await service.stop()
  await server.end()
  await table.end()
  await nats.close()
})

const ask = (uuid: string, plan = 'essential-0') => provider.provision({ uuid, name: 'test', plan })

const askUntilReady = (uuid: string): Promise<string> =>
  eventually(async () => {
    const answer = await ask(uuid)
    const url = answer.config['HEROKU_POSTGRESQL_URL']
    if (answer.pending || !url) throw new Error('pending')
    return url
  }, afterKillMs)

const removeUntilGone = (uuid: string): Promise<void> =>
  eventually(async () => {
    if ((await provider.deprovision({ uuid })).pending) throw new Error('pending')
  }, afterKillMs)

/** [databases, roles] of these add-ons on the server. */
const onServer = async (uuids: string[]): Promise<[number, number]> => {
  const { rows } = await table.query<{ database_name: string; role_name: string }>(
    'select database_name, role_name from databases where addon_id = any($1)',
    [uuids],
  )
  const counts = await server.query<{ databases: number; roles: number }>(
    `select (select count(*)::int from pg_database where datname = any($1)) as databases,
       (select count(*)::int from pg_roles where rolname = any($2)) as roles`,
    [rows.map((row) => row.database_name), rows.map((row) => row.role_name)],
  )
  return [counts.rows[0]?.databases ?? -1, counts.rows[0]?.roles ?? -1]
}

const countInState = async (uuids: string[], state: string): Promise<number> => {
  const { rowCount } = await table.query(
    'select from databases where addon_id = any($1) and state = $2',
    [uuids, state],
  )
  return rowCount ?? 0
}

test('asked twice for the same uuid it answers the same database; gone, it stays gone', async () => {
  const uuid = newId<AddonId>()
  const [first, second] = await Promise.all([ask(uuid), ask(uuid)])
  expect(first).toMatchObject({ id: uuid, pending: false })
  expect(second.config).toEqual(first.config)
  const url = first.config['HEROKU_POSTGRESQL_URL'] ?? ''
  const client = await connectCustomer(url)
  await client.query('create table t (i int)')
  await client.end()
  expect((await ask(uuid)).config).toEqual(first.config)
  await expect(ask(uuid, 'standard-0')).rejects.toMatchObject({ code: ErrorCode.CONFLICT })

  expect((await provider.deprovision({ uuid, id: uuid })).pending).toBe(false)
  expect(await onServer([uuid])).toEqual([0, 0])
  expect((await provider.deprovision({ uuid })).pending).toBe(false)
  await expect(ask(uuid)).rejects.toMatchObject({
    code: ErrorCode.INVALID_PARAMS,
    message: expect.stringContaining('deprovisioned'),
  })
})

test('an unknown plan is refused with those that exist, and an id that is no uuid is refused', async () => {
  await expect(ask(newId(), 'enormous')).rejects.toMatchObject({
    code: ErrorCode.INVALID_PARAMS,
    message: expect.stringContaining('essential-0, essential-1, essential-2, standard-0'),
  })
  await expect(ask(newId(), 'toString')).rejects.toMatchObject({ code: ErrorCode.INVALID_PARAMS })
  await expect(ask('1')).rejects.toMatchObject({ code: ErrorCode.INVALID_PARAMS })
})

test('a removal that overtakes its request leaves nothing', async () => {
  const uuid = newId<AddonId>()
  expect((await provider.deprovision({ uuid })).pending).toBe(false)
  await expect(ask(uuid)).rejects.toMatchObject({ code: ErrorCode.INVALID_PARAMS })

  const racing = Array.from({ length: 25 }, () => newId<AddonId>())
  await Promise.all(
    racing.map(async (id) => {
      const both = await Promise.allSettled([ask(id), provider.deprovision({ uuid: id })])
      const internal = both.filter(
        (answer) =>
          answer.status === 'rejected' && isPlexusError(answer.reason, ErrorCode.INTERNAL),
      )
      expect(internal).toEqual([])
      await removeUntilGone(id)
    }),
  )
  expect(await onServer(racing)).toEqual([0, 0])
})

test('kill -9 while databases are made: each exists once, as it was promised', async () => {
  const uuids = Array.from({ length: 12 }, () => newId<AddonId>())
  const asked = Promise.allSettled(uuids.map((uuid) => ask(uuid)))
  await eventually(async () => expect(await countInState(uuids, 'ready')).toBeGreaterThan(0))
  await service.kill()
  expect(await countInState(uuids, 'provisioning')).toBeGreaterThan(0)
  service = await startService('postgres', engines, settings)

  const urls = await Promise.all(uuids.map(askUntilReady))
  for (const url of urls) {
    const client = await connectCustomer(url)
    await client.query('create table t (i int)')
    await client.end()
  }
  expect(await onServer(uuids)).toEqual([12, 12])
  await asked

  const removing = Promise.allSettled(uuids.map((uuid) => provider.deprovision({ uuid })))
  await eventually(async () =>
    expect(await countInState(uuids, 'deprovisioned')).toBeGreaterThan(0),
  )
  await service.kill()
  expect(await countInState(uuids, 'deprovisioned')).toBeLessThan(12)
  service = await startService('postgres', engines, settings)
  await Promise.all(uuids.map(removeUntilGone))
  expect(await onServer(uuids)).toEqual([0, 0])
  const { rows } = await table.query(
    'select from databases where addon_id = any($1) and password is not null',
    [uuids],
  )
  expect(rows).toEqual([])
  await removing
}, 90_000)

test('the size check runs by itself', async () => {
  const uuid = newId<AddonId>()
  await askUntilReady(uuid)
  await eventually(async () => {
    const { rows } = await table.query<{ size_bytes: string }>(
      'select size_bytes from databases where addon_id = $1',
      [uuid],
    )
    expect(Number(rows[0]?.size_bytes)).toBeGreaterThan(1_000_000)
  })
  await removeUntilGone(uuid)
})
