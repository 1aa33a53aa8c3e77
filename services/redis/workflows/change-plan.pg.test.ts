import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { must } from '#lib/assert.ts'
import type { AddonId } from '#lib/ids.ts'
import { transaction } from '#lib/postgres.ts'
import { getRunningWorkflow, getWorkflow, raiseWish } from '#lib/workflow/workflows-db.ts'
import {
  connectCustomer,
  openTestInstances,
  processesOf,
  type TestInstances,
} from '../../../test/support/redis-provider.ts'
import { driveWorkflows } from '../../../test/support/workflow-suite.ts'
import { changeInstancePlan } from './change-plan.ts'

let instances: TestInstances

beforeAll(async () => {
  instances = await openTestInstances(inject('engines'))
})

afterAll(() => instances.close())

/** As it runs, in the file that it is started with, and in the table. */
async function expectPlan(addonId: AddonId, plan: string): Promise<void> {
  const { memoryBytesMax, connectionsMax } = must(instances.context.plans[plan], plan)
  expect(await instances.row(addonId)).toMatchObject({ plan, state: 'ready' })
  expect(processesOf(addonId)).toHaveLength(1)
  const client = await connectCustomer(await instances.urlOf(addonId))
  expect(await client.info('memory')).toContain(`maxmemory:${memoryBytesMax}\r\n`)
  expect(await client.info('clients')).toContain(`maxclients:${connectionsMax + 1}\r\n`)
  client.destroy()
  const conf = await readFile(join(instances.context.host.dir, addonId, 'redis.conf'), 'utf8')
  expect(conf).toContain(`\nmaxmemory ${memoryBytesMax}\n`)
  expect(conf).toContain(`\nmaxclients ${connectionsMax + 1}\n`)
}

async function wishRemoval(addonId: AddonId): Promise<void> {
  await transaction(instances.context.pool, async (tx) => {
    await raiseWish(tx, addonId, 'deprovision')
    await instances.table.wantRemoval(tx, addonId)
  })
}

async function finishNext(addonId: AddonId, kind: string): Promise<string> {
  const workflow = await getRunningWorkflow(instances.context.pool, addonId)
  expect(workflow?.kind).toBe(kind)
  return instances.drive.finish(workflow?.id ?? '')
}

/** Drives the change, and lets that happen between each step's effect and its commit. */
async function finishOvertaken(workflowId: string, meanwhile: () => Promise<void>): Promise<void> {
  const { pool } = instances.context
  const steps = Object.fromEntries(
    Object.entries(changeInstancePlan.steps).map(([name, step]) => [
      name,
      async (...parameters: Parameters<typeof step>) => {
        const outcome = await step(...parameters)
        await meanwhile()
        return outcome
      },
    ]),
  )
  const workflows = [{ ...changeInstancePlan, steps }]
  const drive = driveWorkflows({ pool, workflows, context: instances.context })
  expect(await drive.finish(workflowId)).toBe('changed')
}

test('each step run twice changes nothing more', async () => {
  const { addonId } = await instances.provision('mini')
  const before = processesOf(addonId)
  const change = await instances.requestPlan(addonId, 'premium-0')
  expect(await instances.drive.finish(change, { twice: true })).toBe('changed')
  await expectPlan(addonId, 'premium-0')
  expect(await instances.row(addonId)).toMatchObject({ previousPlan: 'mini' })
  expect(processesOf(addonId)).toEqual(before)
})

test('a crash at each step ends in the plan that is written down', async () => {
  const steps = Object.keys(changeInstancePlan.steps)
  for (const crashAt of steps) {
    const { addonId } = await instances.provision('premium-0')
    const change = await instances.requestPlan(addonId, 'mini')
    for (const step of steps) {
      if (step === crashAt) break
      expect(await instances.drive.step(change)).toBe(step)
    }
    expect(await instances.drive.crashDuringStep(change)).toBe(crashAt)
    expect(await instances.drive.finish(change)).toBe('changed')
    await expectPlan(addonId, 'mini')
  }
})

test('a removal wanted before any step ends in nothing', async () => {
  const steps = Object.keys(changeInstancePlan.steps)
  for (const wantedAt of steps) {
    const { addonId } = await instances.provision('mini')
    const change = await instances.requestPlan(addonId, 'premium-0')
    for (const step of steps) {
      if (step === wantedAt) break
      await instances.drive.step(change)
    }
    await instances.drive.crashDuringStep(change)
    await wishRemoval(addonId)
    expect(await instances.drive.finish(change)).toBe('removal wanted')
    expect(await finishNext(addonId, 'deprovision-instance')).toBe('gone')
    expect(processesOf(addonId)).toEqual([])
  }
})

test('a removal wanted during the last step is not lost', async () => {
  const { addonId } = await instances.provision('mini')
  const change = await instances.requestPlan(addonId, 'premium-0')
  await finishOvertaken(change, () => wishRemoval(addonId))
  expect(await finishNext(addonId, 'deprovision-instance')).toBe('gone')
  expect(processesOf(addonId)).toEqual([])
})

test('another plan wanted during the last step comes next', async () => {
  const { addonId } = await instances.provision('mini')
  const change = await instances.requestPlan(addonId, 'premium-0')
  await finishOvertaken(change, async () => {
    const row = await instances.row(addonId)
    await transaction(instances.context.pool, (tx) => instances.table.setPlan(tx, row, 'premium-1'))
  })
  expect(await finishNext(addonId, 'change-instance-plan')).toBe('changed')
  await expectPlan(addonId, 'premium-1')
})

test('an instance that is not running is started with the plan', async () => {
  const { addonId } = await instances.provision('mini')
  const [pid = 0] = processesOf(addonId)
  process.kill(pid, 'SIGKILL')
  const change = await instances.requestPlan(addonId, 'premium-1')
  expect(await instances.drive.finish(change)).toBe('changed')
  await expectPlan(addonId, 'premium-1')
})

test('an instance that hangs is waited for, and is not restarted', async () => {
  const { addonId } = await instances.provision('mini')
  const [pid = 0] = processesOf(addonId)
  process.kill(pid, 'SIGSTOP')
  const change = await instances.requestPlan(addonId, 'premium-0')
  await instances.drive.step(change)
  expect(await getWorkflow(instances.context.pool, change)).toMatchObject({
    result: null,
    lastError: expect.stringContaining('silent'),
  })
  process.kill(pid, 'SIGCONT')
  expect(await instances.drive.finish(change)).toBe('changed')
  await expectPlan(addonId, 'premium-0')
  expect(processesOf(addonId)).toEqual([pid])
})
