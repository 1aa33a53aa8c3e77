import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import type { AddonId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { startWorkflowRunner, type WorkflowRunner } from '#lib/workflow/workflow-runner.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { eventually } from '../../test/support/eventually.ts'
import {
  connectCustomer,
  openTestInstances,
  processesOf,
  type TestInstances,
} from '../../test/support/redis-provider.ts'
import { configureInstance } from './configure.ts'
import { withConnection } from './instance-client.ts'
import { instanceOf } from './instances.ts'
import { observeInstance } from './observation.ts'
import { adminUser } from './redis-conf.ts'
import { createSupervision } from './supervision.ts'
import type { Tuning } from './tuning.ts'
import { changeInstancePlan } from './workflows/change-plan.ts'

const megabyte = 1024 ** 2
const plans = { small: { memoryBytesMax: 4 * megabyte, connectionsMax: 3 } }
const tuning: Tuning = {
  maxmemoryPolicy: 'allkeys-lru',
  timeoutSeconds: 300,
  notifyKeyspaceEvents: 'xE',
}

let instances: TestInstances
/** Where nothing runs the workflows but the test. */
const idle: WorkflowRunner = {
  wake: () => undefined,
  waitFor: async () => undefined,
  endWaits: () => undefined,
  stop: async () => undefined,
}

beforeAll(async () => {
  instances = await openTestInstances(inject('engines'), plans)
})

afterAll(() => instances.close())

const configure = (addonId: AddonId, change: Partial<Tuning>): Promise<Tuning> =>
  configureInstance({ pool: instances.context.pool, runner: idle }, addonId, change)

async function finish(addonId: AddonId, options?: { twice: boolean }): Promise<void> {
  const workflow = await getRunningWorkflow(instances.context.pool, addonId)
  expect(await instances.drive.finish(workflow?.id ?? '', options)).toBe('changed')
}

/** As the running instance says. */
async function inForce(addonId: AddonId): Promise<Record<string, string>> {
  const instance = instanceOf(instances.context, await instances.row(addonId))
  return withConnection(instance, adminUser, async (client) => ({
    ...(await client.configGet(['maxmemory-policy', 'timeout', 'notify-keyspace-events'])),
  }))
}

const expected = {
  'maxmemory-policy': 'allkeys-lru',
  timeout: '300',
  'notify-keyspace-events': 'xE',
}

test('what is set holds at once and without a restart; what is not named stays', async () => {
  const { url, addonId } = await instances.provision('small')
  const before = processesOf(addonId)
  const worker = await connectCustomer(url)
  expect(await configure(addonId, { maxmemoryPolicy: 'allkeys-lru' })).toEqual({
    ...tuning,
    timeoutSeconds: 0,
    notifyKeyspaceEvents: '',
  })
  await finish(addonId)
  expect(await configure(addonId, { timeoutSeconds: 300, notifyKeyspaceEvents: 'xE' })).toEqual(
    tuning,
  )
  await finish(addonId, { twice: true })
  expect(await inForce(addonId)).toEqual(expected)
  expect(processesOf(addonId)).toEqual(before)
  for (let n = 0; n < 60; n++) await worker.set(`key ${n}`, 'x'.repeat(100_000))
  worker.destroy()
})

test('it survives a restart, also one before it was applied', async () => {
  const { addonId } = await instances.provision('small')
  await configure(addonId, tuning)
  for (const pid of processesOf(addonId)) process.kill(pid, 'SIGKILL')
  await eventually(() => expect(processesOf(addonId)).toEqual([]))
  await createSupervision(instances.context, silentLog).look()
  expect(await inForce(addonId)).toEqual(expected)
  await finish(addonId)
  expect(await inForce(addonId)).toEqual(expected)
  const conf = await readFile(join(instances.context.host.dir, addonId, 'redis.conf'), 'utf8')
  expect(conf).toContain('\nmaxmemory-policy allkeys-lru\ntimeout 300\nnotify-keyspace-events xE\n')
})

test('a plan change keeps it', async () => {
  const { addonId } = await instances.provision('small')
  await configure(addonId, tuning)
  await finish(addonId)
  await instances.drive.finish(await instances.requestPlan(addonId, 'small'))
  expect(await inForce(addonId)).toEqual(expected)
})

test('while something moves the instance it is refused, and nothing is written down', async () => {
  const { addonId } = await instances.provision('small')
  await configure(addonId, { timeoutSeconds: 1 })
  await expect(configure(addonId, tuning)).rejects.toMatchObject({ code: ErrorCode.CONFLICT })
  await finish(addonId)
  expect(await instances.row(addonId)).toMatchObject({ timeoutSeconds: 1 })
  await expect(configure(addonId, { maxmemoryPolicy: 'none' })).rejects.toMatchObject({
    code: ErrorCode.INVALID_PARAMS,
  })
})

test('whoever sets something has it when the answer comes', async () => {
  const { addonId } = await instances.provision('small')
  const { context } = instances
  const { pool } = context
  const workflows = [changeInstancePlan]
  const runner = startWorkflowRunner({ pool, workflows, context, log: silentLog })
  await configureInstance({ pool, runner }, addonId, tuning)
  expect(await inForce(addonId)).toEqual(expected)
  await runner.stop()
})

test('an instance tells what it uses, and nothing when it is busy or full', async () => {
  const { url, addonId } = await instances.provision('small')
  const instance = instanceOf(instances.context, await instances.row(addonId))
  const observe = () => observeInstance(instances.context.host, instance)
  const client = await connectCustomer(url)
  await client.set('key', 'x'.repeat(megabyte))
  const seen = await observe()
  expect(seen).toMatchObject({ connections: 1, version: expect.stringMatching(/^\d+\.\d+\.\d+$/) })
  expect(seen?.memoryBytes).toBeGreaterThan(megabyte)
  const others = [
    await connectCustomer(url),
    await connectCustomer(url),
    await connectCustomer(url),
  ]
  expect(await observe()).toBeUndefined()
  for (const other of others) other.destroy()
  await eventually(async () => expect((await observe())?.connections).toBe(1))
  const startedMs = Date.now()
  const script = client.sendCommand(['EVAL', 'while true do end', '0']).catch(() => undefined)
  await eventually(async () => expect(await observe()).toBeUndefined())
  expect(Date.now() - startedMs).toBeLessThan(10_000)
  for (const pid of processesOf(addonId)) process.kill(pid, 'SIGKILL')
  await script
  client.destroy()
})
