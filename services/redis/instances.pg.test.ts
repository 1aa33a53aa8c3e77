import { execFile } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import { silentLog } from '#lib/log.ts'
import { findProgram, systemFolders } from '../../local-platform/binaries.ts'
import { eventually } from '../../test/support/eventually.ts'
import {
  connectCustomer,
  openTestInstances,
  processesOf,
  type CustomerRedis,
  type TestInstances,
} from '../../test/support/redis-provider.ts'
import { createSupervision, stopAllInstances } from './supervision.ts'

const run = promisify(execFile)
const megabyte = 1024 ** 2
const plans = { small: { memoryBytesMax: 4 * megabyte, connectionsMax: 3 } }

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

const supervise = (): Promise<void> => createSupervision(instances.context, silentLog).look()

test('an instance answers to its own password only', async () => {
  const mine = await instances.provision('small')
  const theirs = await instances.provision('small')
  expect(mine.url).toMatch(/^redis:\/\/default:p[0-9a-f]{64}@localhost:\d+$/)
  await (await connect(mine.url)).set('secret', '1')
  expect(await (await connect(theirs.url)).get('secret')).toBeNull()

  const crossed = new URL(mine.url)
  crossed.password = new URL(theirs.url).password
  await expect(connect(crossed.href)).rejects.toThrow(/WRONGPASS/)
  crossed.password = ''
  await expect(connect(crossed.href).then((client) => client.get('secret'))).rejects.toThrow(
    /NOAUTH/,
  )
})

test('redis-cli takes the url as it is', async () => {
  const { url } = await instances.provision('small')
  const beside = dirname(instances.context.host.redisServer)
  const program = await findProgram('redis-cli', [...systemFolders(process.env), beside])
  if (!program) throw new Error('redis-cli is missing: it comes with redis-server')
  const { stdout } = await run(program, ['-u', url, '--no-auth-warning', 'incr', 'visits'])
  expect(stdout.trim()).toBe('1')
})

test('a customer may use its data, and not reconfigure, copy away or stop its server', async () => {
  const { url } = await instances.provision('small')
  const client = await connect(url)
  const allowed = [
    ['SET', 'a', '1'],
    ['KEYS', '*'],
    ['INFO', 'memory'],
    ['EVAL', `return redis.call('get', 'a')`, '0'],
    ['CLIENT', 'LIST'],
    ['SLOWLOG', 'GET'],
    ['PUBLISH', 'channel', 'hello'],
    ['FLUSHALL'],
  ]
  for (const command of allowed) await client.sendCommand(command)
  const refused = [
    ['CONFIG', 'GET', 'dir'],
    ['CONFIG', 'SET', 'dir', '/tmp'],
    ['CONFIG', 'SET', 'maxmemory', '0'],
    ['DEBUG', 'SLEEP', '0'],
    ['SHUTDOWN', 'NOSAVE'],
    ['MODULE', 'LIST'],
    ['REPLICAOF', 'localhost', '1'],
    ['SLAVEOF', 'localhost', '1'],
    ['MIGRATE', 'localhost', '1', 'a', '0', '1'],
    ['SAVE'],
    ['BGSAVE'],
    ['BGREWRITEAOF'],
    ['ACL', 'LIST'],
    ['ACL', 'SETUSER', 'default', '+@all'],
    ['SYNC'],
    ['EVAL', `return redis.call('config', 'get', 'dir')`, '0'],
  ]
  for (const command of refused)
    await expect(client.sendCommand(command)).rejects.toThrow(/NOPERM|not allowed|can't run/i)
})

test('a full memory refuses writing, keeps what is there, and can be emptied', async () => {
  const { url } = await instances.provision('small')
  const client = await connect(url)
  const value = 'x'.repeat(100_000)
  const fill = async (): Promise<void> => {
    for (let i = 0; i < 100; i++) await client.set(`key ${i}`, value)
  }
  await expect(fill()).rejects.toThrow(/OOM/)
  expect(await client.get('key 0')).toBe(value)
  await client.flushAll()
  await client.set('key', value)
})

test('a plan holds: its connections and the one that is ours, and a full instance is not restarted', async () => {
  const { url, addonId } = await instances.provision('small')
  for (let i = 0; i < plans.small.connectionsMax + 1; i++) await connect(url)
  await expect(connect(url)).rejects.toThrow(/max number of clients|closed|ECONNRESET/)
  const before = processesOf(addonId)
  await supervise()
  expect(processesOf(addonId)).toEqual(before)
  expect(await clients[0]?.ping()).toBe('PONG')
})

test('nobody else on the machine can read its files, and no password stands in them', async () => {
  const { url, addonId } = await instances.provision('small')
  const folder = join(instances.context.host.dir, addonId)
  const modes = await Promise.all(
    ['.', 'redis.conf', 'redis.log', 'data'].map(async (name) => {
      const { mode } = await stat(join(folder, name))
      return (mode & 0o777).toString(8)
    }),
  )
  expect(modes).toEqual(['700', '600', '600', '700'])
  const conf = await readFile(join(folder, 'redis.conf'), 'utf8')
  expect(conf).not.toContain(new URL(url).password)
  const [pid = 0] = processesOf(addonId)
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8')
  expect(command).not.toContain(new URL(url).password)
  expect((await stat(`/proc/${pid}`)).uid).not.toBe(0)
})

test('a dead instance is started again with its data and at its port', async () => {
  const { url, addonId } = await instances.provision('small')
  const client = await connect(url)
  await client.set('kept', 'yes')
  // The append-only file is synced each second; what the kernel has survives a killed process.
  const [pid = 0] = processesOf(addonId)
  process.kill(pid, 'SIGKILL')
  await eventually(async () => expect(processesOf(addonId)).toEqual([]))
  await Promise.all([supervise(), supervise(), supervise()])
  const restarted = processesOf(addonId)
  expect(restarted).toHaveLength(1)
  expect(restarted).not.toEqual([pid])
  expect(await (await connect(url)).get('kept')).toBe('yes')
})

test('all of them stop with their data written out, and come back with it', async () => {
  const { url, addonId } = await instances.provision('small')
  await (await connect(url)).set('kept', 'yes')
  await stopAllInstances(instances.context, silentLog)
  expect(processesOf(addonId)).toEqual([])
  await supervise()
  expect(await (await connect(url)).get('kept')).toBe('yes')
})
