import { readdir } from 'node:fs/promises'
import type { NatsConnection } from '@nats-io/transport-node'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { newId, type AddonId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient, type RpcClient } from '#lib/rpc.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { ProviderService } from '#proto/provider/v1/provider_pb.ts'
import { databaseUrl, natsUrl, serviceEnv } from '../../local-platform/service-env.ts'
import { eventually } from '../../test/support/eventually.ts'
import { connectCustomer, processesOf } from '../../test/support/redis-provider.ts'
import { startService, type ServiceProcess } from '../../test/support/services.ts'

// The provider as a real process, asked over NATS as the broker asks it.

const engines = inject('engines')
const { layout, credentials } = engines
const dir = serviceEnv('redis', engines)['PLEXUS_ADDON_REDIS_DIR'] ?? ''
const settings = { PLEXUS_ADDON_REDIS_CHECK_SECONDS: '1' }
/** A lease of the killed process has to run out first. */
const afterKillMs = 25_000

let nats: NatsConnection
let provider: RpcClient<typeof ProviderService>
let service: ServiceProcess
let table: pg.Pool

beforeAll(async () => {
  nats = await connectNats(natsUrl(layout, credentials, 'broker'), 'test-broker', silentLog)
  provider = rpcClient(nats, 'provider.redis', ProviderService)
  table = new pg.Pool({
    connectionString: databaseUrl(layout, credentials, 'redis'),
    options: '-c search_path=redis',
  })
  service = await startService('redis', engines, settings)
})

afterAll(async () => {
  await service.stop()
  await table.end()
  await nats.close()
})

const ask = (uuid: string, plan = 'mini') => provider.provision({ uuid, name: 'test', plan })

const askUntilReady = (uuid: string): Promise<string> =>
  eventually(async () => {
    const answer = await ask(uuid)
    const url = answer.config['HEROKU_REDIS_URL']
    if (answer.pending || !url) throw new Error('pending')
    return url
  }, afterKillMs)

const removeUntilGone = (uuid: string): Promise<void> =>
  eventually(async () => {
    if ((await provider.deprovision({ uuid })).pending) throw new Error('pending')
  }, afterKillMs)

const countInState = async (uuids: string[], state: string): Promise<number> => {
  const { rowCount } = await table.query(
    'select from instances where addon_id = any($1) and state = $2',
    [uuids, state],
  )
  return rowCount ?? 0
}

const set = async (url: string, value: string): Promise<void> => {
  const client = await connectCustomer(url)
  await client.set('key', value)
  client.destroy()
}

const get = async (url: string): Promise<string | null> => {
  const client = await connectCustomer(url)
  const value = await client.get('key')
  client.destroy()
  return value
}

test('asked twice for the same uuid it answers the same instance; gone, it stays gone', async () => {
  const uuid = newId<AddonId>()
  const [first, second] = await Promise.all([ask(uuid), ask(uuid)])
  expect(first).toMatchObject({ id: uuid, pending: false })
  expect(second.config).toEqual(first.config)
  await set(first.config['HEROKU_REDIS_URL'] ?? '', 'value')
  await expect(ask(uuid, 'premium-0')).rejects.toMatchObject({ code: ErrorCode.CONFLICT })
  expect(processesOf(uuid)).toHaveLength(1)

  expect((await provider.deprovision({ uuid, id: uuid })).pending).toBe(false)
  expect(processesOf(uuid)).toEqual([])
  expect(await readdir(dir)).not.toContain(uuid)
  expect((await provider.deprovision({ uuid })).pending).toBe(false)
  await expect(ask(uuid)).rejects.toMatchObject({
    code: ErrorCode.INVALID_PARAMS,
    message: expect.stringContaining('deprovisioned'),
  })
})

test('an unknown plan is refused with those that exist', async () => {
  await expect(ask(newId(), 'hobby')).rejects.toMatchObject({
    code: ErrorCode.INVALID_PARAMS,
    message: expect.stringContaining('mini, premium-0, premium-1'),
  })
})

test('a plan is what the instance is started with', async () => {
  const uuid = newId<AddonId>()
  const answer = await ask(uuid, 'premium-0')
  const client = await connectCustomer(answer.config['HEROKU_REDIS_URL'] ?? '')
  expect(await client.info('memory')).toContain(`maxmemory:${50 * 1024 ** 2}\r\n`)
  expect(await client.info('memory')).toContain('maxmemory_policy:noeviction')
  expect(await client.info('clients')).toContain('maxclients:41')
  client.destroy()
  await removeUntilGone(uuid)
})

test('an instance outlives its provider, is adopted, and one that died meanwhile is started', async () => {
  const [living, dying] = [newId<AddonId>(), newId<AddonId>()]
  const urls = [await askUntilReady(living), await askUntilReady(dying)] as const
  for (const url of urls) await set(url, 'kept')
  const [livingPid, dyingPid = 0] = [...processesOf(living), ...processesOf(dying)]
  await service.kill()
  expect(await get(urls[0])).toBe('kept')
  process.kill(dyingPid, 'SIGKILL')
  await eventually(async () => expect(processesOf(dying)).toEqual([]))

  service = await startService('redis', engines, settings)
  expect(processesOf(living)).toEqual([livingPid])
  for (const url of urls) expect(await get(url)).toBe('kept')
  expect(await askUntilReady(living)).toBe(urls[0])

  // And by the periodic look, while the provider runs.
  const [again = 0] = processesOf(dying)
  process.kill(again, 'SIGKILL')
  await eventually(async () => expect(await get(urls[1])).toBe('kept'))
  for (const uuid of [living, dying]) await removeUntilGone(uuid)
})

test('kill -9 while instances are made: each exists once, as it was promised', async () => {
  const uuids = Array.from({ length: 8 }, () => newId<AddonId>())
  const asked = Promise.allSettled(uuids.map((uuid) => ask(uuid)))
  await eventually(async () => expect(await countInState(uuids, 'ready')).toBeGreaterThan(0))
  await service.kill()
  expect(await countInState(uuids, 'provisioning')).toBeGreaterThan(0)
  service = await startService('redis', engines, settings)
  const urls = await Promise.all(uuids.map(askUntilReady))
  expect(new Set(urls).size).toBe(8)
  for (const url of urls) await set(url, 'value')
  for (const uuid of uuids) expect(processesOf(uuid)).toHaveLength(1)
  await asked

  const removing = Promise.allSettled(uuids.map((uuid) => provider.deprovision({ uuid })))
  await eventually(async () =>
    expect(await countInState(uuids, 'deprovisioned')).toBeGreaterThan(0),
  )
  await service.kill()
  expect(await countInState(uuids, 'deprovisioned')).toBeLessThan(8)
  service = await startService('redis', engines, settings)
  await Promise.all(uuids.map(removeUntilGone))
  const folders = await readdir(dir)
  for (const uuid of uuids) {
    expect(processesOf(uuid)).toEqual([])
    expect(folders).not.toContain(uuid)
  }
  const { rows } = await table.query(
    'select from instances where addon_id = any($1) and port is not null',
    [uuids],
  )
  expect(rows).toEqual([])
  await removing
}, 90_000)

test('two providers share the work, and the second needs nothing of the first', async () => {
  const other = await startService('redis', engines, settings)
  const uuids = Array.from({ length: 6 }, () => newId<AddonId>())
  const urls = await Promise.all(uuids.map(askUntilReady))
  expect(new Set(urls).size).toBe(6)
  await service.kill()
  service = other
  const [pid = 0] = processesOf(uuids[0] ?? '')
  process.kill(pid, 'SIGKILL')
  await eventually(async () => expect(processesOf(uuids[0] ?? '')).toHaveLength(1))
  await Promise.all(uuids.map(removeUntilGone))
  for (const uuid of uuids) expect(processesOf(uuid)).toEqual([])
})

test('with no port left a request is told so, and can be asked again', async () => {
  await service.stop()
  const first = Number(serviceEnv('redis', engines)['PLEXUS_ADDON_REDIS_PORT_FIRST'])
  service = await startService('redis', engines, {
    ...settings,
    PLEXUS_ADDON_REDIS_PORT_FIRST: String(first + 50),
    PLEXUS_ADDON_REDIS_PORT_COUNT: '1',
  })
  const [uuid, late] = [newId<AddonId>(), newId<AddonId>()]
  await askUntilReady(uuid)
  await expect(ask(late)).rejects.toMatchObject({ code: ErrorCode.UNAVAILABLE })
  await removeUntilGone(uuid)
  await askUntilReady(late)
  await removeUntilGone(late)
})

test('told to stop instances on exit, it leaves no process and the next start brings them back', async () => {
  await service.stop()
  service = await startService('redis', engines, {
    ...settings,
    PLEXUS_ADDON_REDIS_STOP_ON_EXIT: 'true',
  })
  const uuid = newId<AddonId>()
  const url = await askUntilReady(uuid)
  await set(url, 'kept')
  await service.stop()
  expect(processesOf(uuid)).toEqual([])
  service = await startService('redis', engines, settings)
  expect(await get(url)).toBe('kept')
  await removeUntilGone(uuid)
})
