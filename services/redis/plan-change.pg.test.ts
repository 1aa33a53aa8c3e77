import { spawn } from 'node:child_process'
import { open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import type { AddonId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { instanceMark } from '#lib/redis-instances.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { eventually } from '../../test/support/eventually.ts'
import {
  connectCustomer,
  openTestInstances,
  processesOf,
  type CustomerRedis,
  type TestInstances,
} from '../../test/support/redis-provider.ts'
import { probeInstance } from './instance-process.ts'
import { assertFits, instanceOf } from './instances.ts'
import { fullTriesMax } from './limits.ts'
import { createSupervision } from './supervision.ts'

const megabyte = 1024 ** 2
const plans = {
  small: { memoryBytesMax: 4 * megabyte, connectionsMax: 3 },
  large: { memoryBytesMax: 16 * megabyte, connectionsMax: 6 },
}
const value = 'x'.repeat(100_000)

let instances: TestInstances
let clients: CustomerRedis[] = []

beforeAll(async () => {
  instances = await openTestInstances(inject('engines'), plans)
})

afterEach(() => {
  for (const client of clients) client.destroy()
  clients = []
})

afterAll(() => instances.close())

const connect = async (url: string): Promise<CustomerRedis> => {
  const client = await connectCustomer(url)
  clients.push(client)
  return client
}

const change = async (addonId: AddonId, plan: keyof typeof plans): Promise<void> => {
  await instances.drive.finish(await instances.requestPlan(addonId, plan))
}

const fits = async (addonId: AddonId, plan: string): Promise<void> =>
  assertFits(instances.context, await instances.row(addonId), plan)

const fill = async (client: CustomerRedis, megabytes: number): Promise<void> => {
  for (let i = 0; i < megabytes * 10; i++) await client.set(`key ${i}`, value)
}

/** Asks without a pause until it is stopped; answers how often, or throws what failed. */
function keepAsking(client: CustomerRedis): () => Promise<number> {
  let stopped = false
  const asking = (async () => {
    let answers = 0
    while (!stopped) {
      await client.get('key 0')
      answers++
    }
    return answers
  })()
  asking.catch(() => undefined)
  return () => {
    stopped = true
    return asking
  }
}

test('the limits of a plan hold at once, up and down, and whoever is at work notices nothing', async () => {
  const { url, addonId } = await instances.provision('small')
  const before = processesOf(addonId)
  const worker = await connect(url)
  const client = await connect(url)
  await expect(fill(client, 8)).rejects.toThrow(/OOM/)
  const stop = keepAsking(worker)

  await change(addonId, 'large')
  await fill(client, 8)
  while (clients.length < plans.large.connectionsMax + 1) await connect(url)
  await expect(connect(url)).rejects.toThrow(/max number of clients|closed|ECONNRESET/)
  await expect(fill(client, 20)).rejects.toThrow(/OOM/)

  // Room for us as well.
  clients.pop()?.destroy()
  await client.flushAll()
  await eventually(() => fits(addonId, 'small'))
  await change(addonId, 'small')
  await expect(fill(client, 8)).rejects.toThrow(/OOM/)
  // Those beyond the smaller number stay; new ones are refused.
  for (const open of clients) expect(await open.ping()).toBe('PONG')
  await expect(connect(url)).rejects.toThrow(/max number of clients|closed|ECONNRESET/)
  expect(await stop()).toBeGreaterThan(10)
  expect(processesOf(addonId)).toEqual(before)
})

test('a changed plan outlives the process', async () => {
  const { url, addonId } = await instances.provision('small')
  await change(addonId, 'large')
  const [pid = 0] = processesOf(addonId)
  process.kill(pid, 'SIGKILL')
  await eventually(async () => expect(processesOf(addonId)).toEqual([]))
  await createSupervision(instances.context, silentLog).look()
  const client = await connect(url)
  expect(await client.info('memory')).toContain(`maxmemory:${plans.large.memoryBytesMax}\r\n`)
  expect(await client.info('clients')).toContain('maxclients:7\r\n')
})

test('a plan smaller than what is in use is refused with the numbers, until it is not', async () => {
  const { url, addonId } = await instances.provision('large')
  const client = await connect(url)
  await fill(client, 8)
  await expect(fits(addonId, 'small')).rejects.toMatchObject({
    code: ErrorCode.INVALID_PARAMS,
    message: expect.stringMatching(
      /^The instance uses (8|9|1\d)(\.\d+)? MB, and the plan "small" holds 4 MB\. .* delete keys/,
    ),
  })
  await client.flushAll()
  await eventually(() => fits(addonId, 'small'))
})

test('an instance whose connections all stay in use is restarted for a larger plan, and says so for a smaller', async () => {
  const { url, addonId } = await instances.provision('large')
  await (await connect(url)).set('kept', 'yes')
  while (clients.length < plans.large.connectionsMax + 1) await connect(url)
  await expect(fits(addonId, 'small')).rejects.toMatchObject({
    code: ErrorCode.UNAVAILABLE,
    message: expect.stringContaining('Close a connection'),
  })

  const workflowId = await instances.requestPlan(addonId, 'small')
  const before = processesOf(addonId)
  for (let i = 0; i < fullTriesMax; i++) await instances.drive.step(workflowId)
  expect(processesOf(addonId)).toEqual(before)
  expect(await instances.drive.finish(workflowId)).toBe('changed')
  expect(processesOf(addonId)).not.toEqual(before)
  const client = await connect(url)
  expect(await client.get('kept')).toBe('yes')
  expect(await client.info('clients')).toContain('maxclients:4\r\n')
})

test('an instance that a script keeps busy is restarted as well', async () => {
  const { url, addonId } = await instances.provision('large')
  const workflowId = await instances.requestPlan(addonId, 'small')
  const before = processesOf(addonId)
  const script = (await connect(url)).eval('while true do end')
  const ended = script.catch(() => 'ended')
  // So long after its start the server says that it is busy, and says nothing before.
  const row = await instances.row(addonId)
  const { context } = instances
  await eventually(async () => {
    expect(await probeInstance(context.host, instanceOf(context, row))).toBe('full')
  }, 20_000)
  expect(await instances.drive.finish(workflowId)).toBe('changed')
  expect(await ended).toBe('ended')
  expect(processesOf(addonId)).not.toEqual(before)
  expect(await (await connect(url)).info('clients')).toContain('maxclients:4\r\n')
})

/** Starts it again as it was before the provider was given the right to set limits. */
async function restartWithoutRight(addonId: AddonId): Promise<void> {
  const { dir, redisServer } = instances.context.host
  const folder = join(dir, addonId)
  const [pid = 0] = processesOf(addonId)
  process.kill(pid, 'SIGTERM')
  await eventually(async () => expect(processesOf(addonId)).toEqual([]))
  const conf = await readFile(join(folder, 'redis.conf'), 'utf8')
  expect(conf).toContain(' +config|set')
  await writeFile(join(folder, 'redis.conf'), conf.replace(' +config|set', ''))
  const input = await open(join(folder, 'redis.conf'), 'r')
  spawn(
    redisServer,
    ['-', '--proc-title-template', `{title} {listen-addr} ${instanceMark(addonId)}`],
    {
      cwd: join(folder, 'data'),
      detached: true,
      stdio: [input.fd, 'ignore', 'ignore'],
      ...(process.getuid?.() === 0 && { uid: 65_534, gid: 65_534 }),
    },
  ).unref()
  await input.close()
}

test('an instance that was started without the right to be changed is restarted with its data', async () => {
  const { url, addonId } = await instances.provision('small')
  await (await connect(url)).set('kept', 'yes')
  await restartWithoutRight(addonId)
  const before = await eventually(async () => {
    expect(await (await connect(url)).get('kept')).toBe('yes')
    return processesOf(addonId)
  })
  await change(addonId, 'large')
  expect(processesOf(addonId)).not.toEqual(before)
  const client = await connect(url)
  expect(await client.get('kept')).toBe('yes')
  expect(await client.info('memory')).toContain(`maxmemory:${plans.large.memoryBytesMax}\r\n`)
})
