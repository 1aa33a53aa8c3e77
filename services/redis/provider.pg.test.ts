import { readdir } from 'node:fs/promises'
import { expect, inject, test } from 'vitest'
import { newId, type AddonId } from '#lib/ids.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { serviceEnv } from '../../local-platform/service-env.ts'
import { eventually } from '../../test/support/eventually.ts'
import { shippedManifests } from '../../test/support/manifests.ts'
import { openProvider, testProvider } from '../../test/support/provider-suite.ts'
import { connectCustomer, processesOf } from '../../test/support/redis-provider.ts'
import { loadPlans } from './plans.ts'

const env = serviceEnv('redis', inject('engines'))
const dir = env['PLEXUS_ADDON_REDIS_DIR'] ?? ''
const provider = openProvider({
  service: 'redis',
  settings: { PLEXUS_ADDON_REDIS_CHECK_SECONDS: '1' },
  plan: 'mini',
  configVar: 'HEROKU_REDIS_URL',
})
const { ask, askUntilReady, removeUntilGone } = provider

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

testProvider(provider, {
  addonService: 'heroku-redis',
  table: 'instances',
  column: 'port',
  plans: ['mini', 'premium-0', 'premium-1'],
  otherPlan: 'premium-0',
  atOnce: 8,
  use: (url) => set(url, 'value'),
  // Its processes and its folders.
  countParts: async (uuid) => {
    const folders = (await readdir(dir)).filter((name) => name === uuid)
    return [processesOf(uuid).length, folders.length]
  },
  planInForce: async (_uuid, url) => {
    const client = await connectCustomer(url)
    const info = `${await client.info('memory')}${await client.info('clients')}`
    client.destroy()
    const found = Object.entries(await loadPlans(shippedManifests)).find(
      ([, { memoryBytesMax, connectionsMax }]) =>
        info.includes(`maxmemory:${memoryBytesMax}\r`) &&
        info.includes(`maxclients:${connectionsMax + 1}\r`),
    )
    return found?.[0] ?? info
  },
})

test('a plan is what the instance is started with', async () => {
  const uuid = newId<AddonId>()
  const answer = await ask(uuid, 'premium-0')
  const client = await connectCustomer(provider.urlIn(answer))
  expect(await client.info('memory')).toContain(`maxmemory:${50 * 1024 ** 2}\r\n`)
  expect(await client.info('memory')).toContain('maxmemory_policy:noeviction')
  expect(await client.info('clients')).toContain('maxclients:41')
  client.destroy()
  await removeUntilGone(uuid)
})

test('a plan change that takes longer than a request waits is pending, and goes on by itself', async () => {
  const uuid = newId<AddonId>()
  const url = await askUntilReady(uuid)
  const [pid = 0] = processesOf(uuid)
  process.kill(pid, 'SIGSTOP')
  expect((await provider.change(uuid, 'premium-0')).pending).toBe(true)
  process.kill(pid, 'SIGCONT')
  await eventually(async () => {
    const client = await connectCustomer(url)
    const info = await client.info('memory')
    client.destroy()
    expect(info).toContain(`maxmemory:${50 * 1024 ** 2}\r\n`)
  })
  await eventually(async () =>
    expect((await provider.change(uuid, 'premium-0')).pending).toBe(false),
  )
  await removeUntilGone(uuid)
})

test('an instance outlives its provider, is adopted, and one that died meanwhile is started', async () => {
  const [living, dying] = [newId<AddonId>(), newId<AddonId>()]
  const urls = [await askUntilReady(living), await askUntilReady(dying)] as const
  for (const url of urls) await set(url, 'kept')
  const [livingPid, dyingPid = 0] = [...processesOf(living), ...processesOf(dying)]
  await provider.process().kill()
  expect(await get(urls[0])).toBe('kept')
  process.kill(dyingPid, 'SIGKILL')
  await eventually(async () => expect(processesOf(dying)).toEqual([]))

  await provider.start()
  expect(processesOf(living)).toEqual([livingPid])
  for (const url of urls) expect(await get(url)).toBe('kept')
  expect(await askUntilReady(living)).toBe(urls[0])

  // And by the periodic look, while the provider runs.
  const [again = 0] = processesOf(dying)
  process.kill(again, 'SIGKILL')
  await eventually(async () => expect(await get(urls[1])).toBe('kept'))
  for (const uuid of [living, dying]) await removeUntilGone(uuid)
})

test('two providers share the work, and the second needs nothing of the first', async () => {
  const first = provider.process()
  await provider.start()
  const uuids = Array.from({ length: 6 }, () => newId<AddonId>())
  const urls = await Promise.all(uuids.map(askUntilReady))
  expect(new Set(urls).size).toBe(6)
  await first.kill()
  const [pid = 0] = processesOf(uuids[0] ?? '')
  process.kill(pid, 'SIGKILL')
  await eventually(async () => expect(processesOf(uuids[0] ?? '')).toHaveLength(1))
  await Promise.all(uuids.map(removeUntilGone))
  for (const uuid of uuids) expect(processesOf(uuid)).toEqual([])
})

test('with no port left a request is told so, and can be asked again', async () => {
  await provider.process().stop()
  const first = Number(env['PLEXUS_ADDON_REDIS_PORT_FIRST'])
  await provider.start({
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
  await provider.process().stop()
  await provider.start({ PLEXUS_ADDON_REDIS_STOP_ON_EXIT: 'true' })
  const uuid = newId<AddonId>()
  const url = await askUntilReady(uuid)
  await set(url, 'kept')
  await provider.process().stop()
  expect(processesOf(uuid)).toEqual([])
  await provider.start()
  expect(await get(url)).toBe('kept')
  await removeUntilGone(uuid)
})
