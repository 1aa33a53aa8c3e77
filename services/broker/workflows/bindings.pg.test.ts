import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { must } from '#lib/assert.ts'
import type { AppId, AttachmentId } from '#lib/ids.ts'
import { transaction } from '#lib/postgres.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { getRunningWorkflow, getWorkflow } from '#lib/workflow/workflows-db.ts'
import type { App } from '#proto/apps/v1/apps_pb.ts'
import {
  attach,
  attaching,
  closeBrokerWorkflows,
  context,
  drive,
  finishEachStepTwice,
  openBrokerWorkflows,
  order,
  owner,
  platform,
  pool,
  reload,
  running,
} from '../../../test/support/broker-workflows.ts'
import { osbIds, startOsbBroker, type OsbBroker } from '../../../test/support/osb-broker.ts'
import { declareServices } from '../addon-services.ts'
import { wishDestroyed } from '../addons.ts'
import { findAttachment, listAttachmentsOfApps, listMaybeBound } from '../attachments-db.ts'
import { createAttachment, destroyAttachment } from '../attachments.ts'
import { parseService } from '../manifest.ts'
import { requestPlan } from '../plan-change.ts'
import { restoreConfig } from './restore-config.ts'

let broker: OsbBroker

beforeAll(async () => {
  await openBrokerWorkflows(inject('engines'))
  broker = await startOsbBroker()
  const manifest = {
    id: 'store',
    name: 'Store',
    api: {
      version: 'osb',
      osb: { service_id: osbIds.service, username: broker.username },
      password: broker.password,
      requires: ['many_per_app', 'attachable'],
      production: { base_url: broker.url },
    },
  }
  const plan = (slug: string, id: string, more = {}) => ({
    ...{ slug, name: slug, price_cents: 0, default: slug === 'small' },
    ...{ provider_plan_id: id, ...more },
  })
  const plans = [
    plan('small', osbIds.small),
    plan('large', osbIds.large, { changeable: false }),
    plan('closed', 'plan closed', { bindable: false }),
  ]
  const { pool: db, secrets } = context
  const file = 'store'
  await declareServices({ pool: db, secrets }, [
    parseService({ file, value: manifest }, { file, value: { state: 'ga', plans } }),
  ])
})
afterAll(async () => {
  await broker.stop()
  await closeBrokerWorkflows()
})
beforeEach(() => {
  broker.faults = {}
  broker.alwaysFaults = {}
  broker.requests.length = 0
  Object.assign(broker.rules, { asyncInstances: false, asyncBindings: false, ends: 'succeeded' })
})

const inBackground = () =>
  Object.assign(broker.rules, { asyncInstances: true, asyncBindings: true })
const orderStore = (app: App, plan = 'store') => order(app, {}, context, plan)

async function shared() {
  const [app, other] = [await platform.newApp(owner), await platform.newApp(owner)]
  const { addon, workflowId } = await orderStore(app)
  expect(await drive.finish(workflowId)).toBe('provisioned')
  return { addon: await reload(addon.id), app, other, id: await attach(addon.id, other, 'SHARED') }
}

async function attachmentsOn(app: App) {
  return listAttachmentsOfApps(pool, [app.id as AppId])
}

async function expectCleanSlate(addon: { id: string }, ...apps: App[]): Promise<void> {
  expect(broker.instances.get(addon.id)).toBeUndefined()
  const row = await reload(addon.id as never)
  expect(row).toMatchObject({ state: 'deprovisioned', operation: null })
  expect(await listMaybeBound(pool, row.id)).toEqual([])
  for (const app of apps) {
    expect(await attachmentsOn(app)).toEqual([])
    expect(await platform.config(owner, app)).toEqual({})
  }
}

describe('with each step run twice', () => {
  test.each([false, true])(
    'each attachment has one binding of its own until it goes; in the background: %s',
    async (isAsync) => {
      if (isAsync) inBackground()
      const [app, other] = [await platform.newApp(owner), await platform.newApp(owner)]
      const { addon, workflowId } = await orderStore(app)
      expect(await drive.finish(workflowId, { twice: true })).toBe('provisioned')
      const id = await attach(addon.id, other, 'SHARED', { twice: true })
      const bindings = [...must(broker.instances.get(addon.id), 'instance').bindings.values()]
      const [first, second] = bindings.map(({ credentials }) => credentials)
      expect(bindings.map((binding) => binding.id)).toContain(id)
      expect(await platform.config(owner, app)).toEqual({
        STORE_URL: first?.['uri'],
        STORE_USERNAME: first?.['username'],
        STORE_PORT: '5432',
        STORE_TLS: '{"ca":"pem"}',
      })
      expect(await platform.config(owner, other)).toMatchObject({ SHARED_URL: second?.['uri'] })
      const { rows } = await pool.query<{ row: string }>(
        'select row_to_json(attachments)::text as row from attachments where addon_id = $1',
        [addon.id],
      )
      expect(rows.map(({ row }) => row).join('')).not.toContain('osb://')

      await requestPlan(
        context,
        { actor: owner, addon: addon.id, app: '' },
        { plan: 'large', waitMs: 0 },
      )
      expect(await drive.finish(await running(addon.id), { twice: true })).toBe('changed')
      expect(broker.instances.get(addon.id)?.planId).toBe(osbIds.large)
      const back = { plan: 'small', waitMs: 0 }
      await expect(
        requestPlan(context, { actor: owner, addon: addon.id, app: '' }, back),
      ).rejects.toThrow('Store lets nothing change away from the plan large.')

      await destroyAttachment(context, owner, id).catch(() => undefined)
      await finishEachStepTwice(await running(id))
      expect(broker.instances.get(addon.id)?.bindings.size).toBe(1)
      expect(await platform.config(owner, other)).toEqual({})
      await wishDestroyed(pool, addon.id, { actor: owner, force: false })
      await finishEachStepTwice(await running(addon.id))
      await expectCleanSlate(addon, app, other)
      expect(await platform.releases(owner, other)).toHaveLength(
        (await platform.releases(owner, await platform.newApp(owner))).length + 2,
      )
    },
  )
})

test('a plan that is not bindable gives no credentials to any attachment', async () => {
  const [app, other] = [await platform.newApp(owner), await platform.newApp(owner)]
  const { addon, workflowId } = await orderStore(app, 'store:closed')
  expect(await drive.finish(workflowId)).toBe('provisioned')
  await attach(addon.id, other, 'SHARED')
  expect([await platform.config(owner, app), await platform.config(owner, other)]).toEqual([{}, {}])
  await wishDestroyed(pool, addon.id, { actor: owner, force: true })
  expect(await drive.finish(await running(addon.id))).toBe('deprovisioned')
  expect([broker.asked('bind'), broker.asked('unbind')]).toEqual([[], []])
  await expectCleanSlate(addon, app, other)
})

test('work that is not over after 12 hours is given up, and its instance removed', async () => {
  inBackground()
  const app = await platform.newApp(owner)
  const { addon, workflowId } = await orderStore(app)
  await drive.step(workflowId)
  await pool.query(`update addons set created_at = now() - interval '13 hours' where id = $1`, [
    addon.id,
  ])
  expect(await drive.finish(workflowId)).toBe('refused')
  expect(await drive.finish(await running(addon.id))).toBe('deprovisioned')
  expect(broker.asked('deprovision').length).toBeGreaterThan(0)
  await expectCleanSlate(addon, app)
})

describe('a crash at each step', () => {
  test('of the provisioning, and then the wish that it goes: nothing is left', async () => {
    inBackground()
    for (const steps of [0, 1, 2, 3, 4, 5]) {
      const app = await platform.newApp(owner)
      const { addon, workflowId } = await orderStore(app)
      for (let step = 0; step < steps; step++) await drive.step(workflowId)
      await drive.crashDuringStep(workflowId)
      await wishDestroyed(pool, addon.id, { actor: owner, force: true })
      expect(await drive.finish(workflowId)).toBe('destroyed')
      await finishEachStepTwice(await running(addon.id))
      await expectCleanSlate(addon, app)
    }
  })

  test('of attaching, while the add-on is wished away: its removal gives the binding back', async () => {
    inBackground()
    for (const steps of [1, 2, 3]) {
      const [app, other] = [await platform.newApp(owner), await platform.newApp(owner)]
      const { addon, workflowId } = await orderStore(app)
      await drive.finish(workflowId)
      await createAttachment(context, attaching(addon.id, other)).catch(() => undefined)
      const id = must((await attachmentsOn(other))[0], 'attachment').id
      const attachingId = await running(id)
      for (let step = 0; step < steps; step++) await drive.step(attachingId)
      await drive.crashDuringStep(attachingId)
      await wishDestroyed(pool, addon.id, { actor: owner, force: true })
      const removal = await running(addon.id)
      await drive.step(removal)
      expect(await drive.finish(attachingId)).toBe('refused')
      expect(await drive.finish(await running(id))).toBe('detached')
      await finishEachStepTwice(removal)
      await expectCleanSlate(addon, app, other)
    }
  })
})

describe('a removal that fails in the background', () => {
  test.each([
    ['call-provider', { asyncInstances: true }],
    ['unbind', { asyncBindings: true }],
  ])('%s: is begun anew, rarer each time, and both sides read why', async (name, rules) => {
    const app = await platform.newApp(owner)
    const { addon, workflowId } = await orderStore(app)
    expect(await drive.finish(workflowId)).toBe('provisioned')
    Object.assign(broker.rules, { ...rules, ends: 'failed' })
    await wishDestroyed(pool, addon.id, { actor: owner, force: false })
    const removal = await running(addon.id)
    const waits: number[] = []
    for (let steps = 0; steps < 20 && waits.length < 4; steps++) {
      expect(await drive.step(removal)).toBeDefined()
      const { step, tries, lastError } = must(await getWorkflow(pool, removal), 'workflow')
      expect(tries).toBeLessThanOrEqual(waits.length + 1)
      if (tries > waits.length) waits.push(await waitSeconds(removal))
      if (tries === 0) continue
      // Also while the next one is under way.
      expect({ step, tries, lastError }).toEqual({
        ...{ step: name, tries: waits.length, lastError: 'Out of disks.' },
      })
      expect((await reload(addon.id)).provisionMessage).toMatch(
        /^The provider of Store says: Out of disks. Plexus goes on asking it(, next at \S+Z)?\.$/,
      )
    }
    const begun = broker.asked(name === 'unbind' ? 'unbind' : 'deprovision')
    expect([waits.length, begun.length]).toEqual([4, 4])
    for (const [index, wait] of waits.entries()) {
      expect(wait).toBeGreaterThan(0.5 * 2 ** index)
      expect(wait).toBeLessThanOrEqual(2 ** index)
    }
    broker.rules.ends = 'succeeded'
    expect(await drive.finish(removal, { twice: true })).toBe('deprovisioned')
    await expectCleanSlate(addon, app)
  })

  test('of an attachment alone: the add-on keeps its own message', async () => {
    const { addon, id } = await shared()
    Object.assign(broker.rules, { asyncBindings: true, ends: 'failed' })
    await destroyAttachment(context, owner, id).catch(() => undefined)
    const detaching = await running(id)
    for (let steps = 0; steps < 4; steps++) await drive.step(detaching)
    expect(await getWorkflow(pool, detaching)).toMatchObject({
      ...{ step: 'unbind', tries: 1, lastError: 'Out of disks.' },
    })
    expect((await reload(addon.id)).provisionMessage).toBe('')
    broker.rules.ends = 'succeeded'
    expect(await drive.finish(detaching)).toBe('detached')
    expect(broker.instances.get(addon.id)?.bindings.size).toBe(1)
  })
})

/** How long the workflow still waits. */
async function waitSeconds(workflowId: string): Promise<number> {
  const { rows } = await pool.query<{ seconds: number }>(
    'select extract(epoch from run_at - now())::float as seconds from workflows where id = $1',
    [workflowId],
  )
  return must(rows[0], 'workflow').seconds
}

describe('an attachment that gets no credentials', () => {
  test('within an hour is given up, and what may have been made is given back', async () => {
    const { addon } = await shared()
    const third = await platform.newApp(owner)
    broker.alwaysFaults.bind = 'resetAfterWork'
    await createAttachment(context, attaching(addon.id, third)).catch(() => undefined)
    const id = must((await attachmentsOn(third))[0], 'attachment').id
    const attachingId = await running(id)
    for (let steps = 0; steps < 3; steps++) await drive.step(attachingId)
    expect(broker.instances.get(addon.id)?.bindings.size).toBe(3)
    await pool.query('update workflows set deadline = now() where id = $1', [attachingId])
    expect(await drive.finish(attachingId)).toBe('refused')
    expect(await drive.finish(await running(id))).toBe('detached')
    expect(broker.instances.get(addon.id)?.bindings.size).toBe(2)
    expect((await findAttachment(pool, id))?.failure).toContain('no credentials for 60 minutes')
    broker.alwaysFaults = {}
  })

  test.each([
    [
      'a refusal made nothing: nothing is given back',
      { status: 400, body: { description: 'No.' } },
      0,
    ],
    ['what cannot be read may have made some: they are given back', { status: 201, body: [] }, 1],
  ])('%s', async (_name, fault, unbinds) => {
    const { addon, app } = await shared()
    const third = await platform.newApp(owner)
    broker.faults.bind = [fault]
    await createAttachment(context, attaching(addon.id, third)).catch(() => undefined)
    const id = must((await attachmentsOn(third))[0], 'attachment').id
    expect(await drive.finish(await running(id), { twice: false })).toBe('refused')
    if (unbinds > 0) await finishEachStepTwice(await running(id))
    expect(await attachmentsOn(third)).toEqual([])
    expect(broker.asked('unbind').length > 0).toBe(unbinds > 0)
    expect(broker.instances.get(addon.id)?.bindings.size).toBe(2)
    expect(Object.keys(await platform.config(owner, app))).toContain('STORE_URL')
  })
})

describe('a detaching whose provider fails', () => {
  test('takes the variables away, goes on, and leaves it to the removal of the add-on', async () => {
    const { addon, app, other, id } = await shared()
    broker.alwaysFaults.unbind = { status: 500 }
    await destroyAttachment(context, owner, id).catch(() => undefined)
    const detaching = await running(id)
    await drive.step(detaching)
    await drive.step(detaching)
    expect(await platform.config(owner, other)).toEqual({})
    expect(broker.instances.get(addon.id)?.bindings.size).toBe(2)
    await wishDestroyed(pool, addon.id, { actor: owner, force: true })
    const removal = await running(addon.id)
    await drive.step(removal)
    // However long it still meant to wait for its provider.
    expect((await getRunningWorkflow(pool, id))?.wishes).toEqual(['destroy'])
    expect(await drive.finish(detaching)).toBe('detached')
    for (let steps = 0; steps < 5; steps++) await drive.step(removal)
    expect(broker.asked('deprovision')).toEqual([])
    broker.alwaysFaults = {}
    expect(await drive.finish(removal)).toBe('deprovisioned')
    await expectCleanSlate(addon, app, other)
  })

  test('for ever keeps nothing else of the add-on waiting, and gets nothing back', async () => {
    const { addon, app, other, id } = await shared()
    broker.alwaysFaults.unbind = { status: 500 }
    await destroyAttachment(context, owner, id).catch(() => undefined)
    const detaching = await running(id)
    await drive.step(detaching)
    await drive.step(detaching)

    const ref = { actor: owner, addon: addon.id, app: '' }
    await requestPlan(context, ref, { plan: 'large', waitMs: 0 })
    expect(await drive.finish(await running(addon.id))).toBe('changed')
    expect(broker.instances.get(addon.id)?.planId).toBe(osbIds.large)
    const restoring = await transaction(pool, (tx) => startWorkflow(tx, restoreConfig, addon.id))
    expect(await drive.finish(restoring)).toBe('restored')
    expect(await platform.config(owner, other)).toEqual({})
    expect(Object.keys(await platform.config(owner, app))).toContain('STORE_URL')
    expect((await findAttachment(pool, id as AttachmentId))?.state).toBe('detaching')
    await drive.step(detaching)
    broker.alwaysFaults = {}
    expect(await drive.finish(detaching)).toBe('detached')
  })

  test('never: the operator calls the add-on gone, with its bindings', async () => {
    const { addon, app, other } = await shared()
    broker.alwaysFaults.unbind = { status: 500 }
    await wishDestroyed(pool, addon.id, { actor: owner, force: true })
    const removal = await running(addon.id)
    for (let steps = 0; steps < 5; steps++) await drive.step(removal)
    await wishDestroyed(pool, addon.id, { actor: owner, force: true, forget: true })
    expect(await drive.finish(removal)).toBe('deprovisioned')
    expect(await listMaybeBound(pool, addon.id)).toEqual([])
    expect([...(await attachmentsOn(app)), ...(await attachmentsOn(other))]).toEqual([])
    broker.instances.clear()
  })
})
