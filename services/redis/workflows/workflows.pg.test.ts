import { readdir } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import type { AddonId } from '#lib/ids.ts'
import { transaction } from '#lib/postgres.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { getRunningWorkflow, raiseWish } from '#lib/workflow/workflows-db.ts'
import {
  connectCustomer,
  openTestInstances,
  processesOf,
  type TestInstances,
} from '../../../test/support/redis-provider.ts'
import { probe } from '../probe.ts'
import { deprovisionInstance } from './deprovision.ts'
import { provisionInstance } from './provision.ts'

let instances: TestInstances

beforeAll(async () => {
  instances = await openTestInstances(inject('engines'))
})

afterAll(() => instances.close())

const requestRemoval = (addonId: AddonId): Promise<string> =>
  transaction(instances.context.pool, async (tx) => {
    await instances.table.wantRemoval(tx, addonId)
    return startWorkflow(tx, deprovisionInstance, addonId)
  })

async function expectOne(addonId: AddonId): Promise<void> {
  expect(processesOf(addonId)).toHaveLength(1)
  const client = await connectCustomer(await instances.urlOf(addonId))
  expect(await client.incr('count')).toBe(1)
  client.destroy()
}

async function expectNothing(addonId: AddonId, port: number | null): Promise<void> {
  expect(processesOf(addonId)).toEqual([])
  const folders = await readdir(instances.context.host.dir)
  expect(folders).not.toContain(addonId)
  expect(await instances.row(addonId)).toMatchObject({
    state: 'deprovisioned',
    port: null,
    password: null,
    adminPassword: null,
  })
  const there = port && (await probe({ port, adminPassword: 'x', dataDir: '/' }))
  expect(there || 'nobody').toBe('nobody')
}

test('provision: each step run twice changes nothing more', async () => {
  const { addonId, workflowId } = await instances.request('mini')
  expect(await instances.drive.finish(workflowId, { twice: true })).toBe('ready')
  await expectOne(addonId)
})

test('provision: a crash at each step ends in one instance', async () => {
  const steps = Object.keys(provisionInstance.steps)
  for (const crashAt of steps) {
    const { addonId, workflowId } = await instances.request('mini')
    for (const step of steps) {
      if (step === crashAt) break
      expect(await instances.drive.step(workflowId)).toBe(step)
    }
    expect(await instances.drive.crashDuringStep(workflowId)).toBe(crashAt)
    expect(await instances.drive.finish(workflowId)).toBe('ready')
    await expectOne(addonId)
  }
})

test('provision: a removal wanted before any step ends in nothing', async () => {
  const steps = Object.keys(provisionInstance.steps)
  for (const wantedAt of steps) {
    const { addonId, workflowId } = await instances.request('mini')
    for (const step of steps) {
      if (step === wantedAt) break
      await instances.drive.step(workflowId)
    }
    // Its effect is there, but not its outcome: what the crash left is removed as well.
    await instances.drive.crashDuringStep(workflowId)
    const { port } = await instances.row(addonId)
    await transaction(instances.context.pool, async (tx) => {
      await raiseWish(tx, addonId, 'deprovision')
      await instances.table.wantRemoval(tx, addonId)
    })
    expect(await instances.drive.finish(workflowId)).toBe('removal wanted')
    const removal = await getRunningWorkflow(instances.context.pool, addonId)
    expect(await instances.drive.finish(removal?.id ?? '')).toBe('gone')
    await expectNothing(addonId, port)
  }
})

const strangers: Record<string, (socket: Socket) => void> = {
  'speaks something else': (socket) => socket.resume().end('220 hello\r\n'),
  'says nothing': (socket) => socket.resume(),
}

test.each(Object.entries(strangers))(
  'provision: a port that somebody who %s takes in between is left for another',
  async (_name, onConnection) => {
    const { addonId, workflowId } = await instances.request('mini')
    expect(await instances.drive.step(workflowId)).toBe('allot-port')
    const { port } = await instances.row(addonId)
    const stranger = createServer(onConnection)
    await new Promise<void>((resolve) => {
      stranger.listen({ port: port ?? 0, host: '127.0.0.1' }, resolve)
    })
    expect(await instances.drive.finish(workflowId)).toBe('ready')
    expect((await instances.row(addonId)).port).not.toBe(port)
    await expectOne(addonId)
    await new Promise((resolve) => stranger.close(resolve))
  },
)

test('deprovision: each step run twice changes nothing more', async () => {
  const { addonId } = await instances.provision('mini')
  const { port } = await instances.row(addonId)
  const removal = await requestRemoval(addonId)
  expect(await instances.drive.finish(removal, { twice: true })).toBe('gone')
  await expectNothing(addonId, port)
})

test('deprovision: a crash at each step ends with nothing left', async () => {
  const steps = Object.keys(deprovisionInstance.steps)
  for (const crashAt of steps) {
    const { addonId } = await instances.provision('mini')
    const { port } = await instances.row(addonId)
    const removal = await requestRemoval(addonId)
    for (const step of steps) {
      if (step === crashAt) break
      expect(await instances.drive.step(removal)).toBe(step)
    }
    expect(await instances.drive.crashDuringStep(removal)).toBe(crashAt)
    expect(await instances.drive.finish(removal)).toBe('gone')
    await expectNothing(addonId, port)
  }
})

test('deprovision: an instance whose customers hold every connection goes too', async () => {
  const { addonId, url } = await instances.provision('mini')
  const { port } = await instances.row(addonId)
  const held = await Promise.all(Array.from({ length: 21 }, () => connectCustomer(url)))
  expect(await instances.drive.finish(await requestRemoval(addonId))).toBe('gone')
  await expectNothing(addonId, port)
  for (const client of held) client.destroy()
})

test('deprovision: an instance whose process hangs goes too', async () => {
  const { addonId } = await instances.provision('mini')
  const { port } = await instances.row(addonId)
  const [pid = 0] = processesOf(addonId)
  process.kill(pid, 'SIGSTOP')
  expect(await instances.drive.finish(await requestRemoval(addonId))).toBe('gone')
  await expectNothing(addonId, port)
})
