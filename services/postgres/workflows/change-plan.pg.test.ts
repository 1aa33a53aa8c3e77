import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { must } from '#lib/assert.ts'
import type { AddonId } from '#lib/ids.ts'
import { transaction } from '#lib/postgres.ts'
import { getRunningWorkflow, raiseWish } from '#lib/workflow/workflows-db.ts'
import { openTestDatabases, type TestDatabases } from '../../../test/support/postgres-provider.ts'
import { driveWorkflows } from '../../../test/support/workflow-suite.ts'
import { changeDatabasePlan } from './change-plan.ts'

let databases: TestDatabases

beforeAll(async () => {
  databases = await openTestDatabases(inject('engines'))
})

afterAll(() => databases.close())

async function expectPlan(addonId: AddonId, plan: string): Promise<void> {
  const row = await databases.row(addonId)
  const { rows } = await databases.context.server.pool.query<{ limit: number; config: string[] }>(
    'select rolconnlimit as limit, rolconfig as config from pg_roles where rolname = $1',
    [row.roleName],
  )
  const { connectionsMax, sizeBytesMax } = must(databases.context.plans[plan], plan)
  expect(row.plan).toBe(plan)
  expect(rows[0]?.limit).toBe(connectionsMax)
  expect(rows[0]?.config).toContain(`temp_file_limit=${Math.ceil(sizeBytesMax / 10 / 1024)}`)
  expect(await databases.onServer(addonId)).toEqual([1, 1])
}

async function wishRemoval(addonId: AddonId): Promise<void> {
  await transaction(databases.context.pool, async (tx) => {
    await raiseWish(tx, addonId, 'deprovision')
    await databases.table.wantRemoval(tx, addonId)
  })
}

async function finishNext(addonId: AddonId, kind: string): Promise<string> {
  const workflow = await getRunningWorkflow(databases.context.pool, addonId)
  expect(workflow?.kind).toBe(kind)
  return databases.drive.finish(workflow?.id ?? '')
}

/** Drives the change, and lets that happen between each step's effect and its commit. */
async function finishOvertaken(workflowId: string, meanwhile: () => Promise<void>): Promise<void> {
  const { pool } = databases.context
  const steps = Object.fromEntries(
    Object.entries(changeDatabasePlan.steps).map(([name, step]) => [
      name,
      async (...parameters: Parameters<typeof step>) => {
        const outcome = await step(...parameters)
        await meanwhile()
        return outcome
      },
    ]),
  )
  const workflows = [{ ...changeDatabasePlan, steps }]
  const drive = driveWorkflows({ pool, workflows, context: databases.context })
  expect(await drive.finish(workflowId)).toBe('changed')
}

test('each step run twice changes nothing more', async () => {
  const { addonId } = await databases.provision('essential-0')
  const change = await databases.requestPlan(addonId, 'standard-0')
  expect(await databases.drive.finish(change, { twice: true })).toBe('changed')
  await expectPlan(addonId, 'standard-0')
  expect(await databases.row(addonId)).toMatchObject({ previousPlan: 'essential-0' })
})

test('a crash at each step ends in the plan that is written down', async () => {
  const steps = Object.keys(changeDatabasePlan.steps)
  for (const crashAt of steps) {
    const { addonId } = await databases.provision('standard-0')
    const change = await databases.requestPlan(addonId, 'essential-1')
    for (const step of steps) {
      if (step === crashAt) break
      expect(await databases.drive.step(change)).toBe(step)
    }
    expect(await databases.drive.crashDuringStep(change)).toBe(crashAt)
    expect(await databases.drive.finish(change)).toBe('changed')
    await expectPlan(addonId, 'essential-1')
  }
})

test('a removal wanted before any step ends in nothing', async () => {
  const steps = Object.keys(changeDatabasePlan.steps)
  for (const wantedAt of steps) {
    const { addonId } = await databases.provision('essential-0')
    const change = await databases.requestPlan(addonId, 'essential-2')
    for (const step of steps) {
      if (step === wantedAt) break
      await databases.drive.step(change)
    }
    await databases.drive.crashDuringStep(change)
    await wishRemoval(addonId)
    expect(await databases.drive.finish(change)).toBe('removal wanted')
    expect(await finishNext(addonId, 'deprovision-database')).toBe('gone')
    expect(await databases.onServer(addonId)).toEqual([0, 0])
  }
})

test('a removal wanted during the last step is not lost', async () => {
  const { addonId } = await databases.provision('essential-0')
  const change = await databases.requestPlan(addonId, 'essential-2')
  await finishOvertaken(change, () => wishRemoval(addonId))
  expect(await finishNext(addonId, 'deprovision-database')).toBe('gone')
  expect(await databases.onServer(addonId)).toEqual([0, 0])
})

test('another plan wanted during the last step comes next', async () => {
  const { addonId } = await databases.provision('essential-0')
  const change = await databases.requestPlan(addonId, 'essential-2')
  await finishOvertaken(change, async () => {
    const row = await databases.row(addonId)
    await transaction(databases.context.pool, (tx) =>
      databases.table.setPlan(tx, row, 'standard-0'),
    )
  })
  expect(await finishNext(addonId, 'change-database-plan')).toBe('changed')
  await expectPlan(addonId, 'standard-0')
})
