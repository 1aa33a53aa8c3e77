import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import type { AttachmentId } from '#lib/ids.ts'
import { transaction, type Pool } from '#lib/postgres.ts'
import type { App } from '#proto/apps/v1/apps_pb.ts'
import {
  attach,
  closeBrokerWorkflows,
  context,
  drive,
  expectNothingLeft,
  openBrokerWorkflows,
  order,
  owner,
  platform,
  pool,
  provisioned,
  running,
} from '../../../test/support/broker-workflows.ts'
import { destroyAddon } from '../addons.ts'
import { updatePartnerConfig } from '../partner.ts'
import { requestPlan } from '../plan-change.ts'
import { startDetaching } from '../workflows/detach-addon.ts'
import { reconcileAddons } from './reconcile-addons.ts'

beforeAll(() => openBrokerWorkflows(inject('engines')))
afterAll(closeBrokerWorkflows)

let app: App
beforeEach(async () => {
  app = await platform.newApp(owner)
})

/**
 * What is told of this test's app, with everything mended that can be. A look asks about each app of
 * the platform, which are as many as other tests have made: here this one is all that there are.
 */
async function discrepancies(by = context) {
  const listAppIds: typeof context.apps.listAppIds = async ({ afterAppId }) => ({
    ...(await context.apps.listAppIds({ afterAppId: app.id })),
    appIds: afterAppId === '' ? [app.id] : [],
  })
  const alone = { ...by, apps: { ...by.apps, listAppIds } }
  const report = await reconcileAddons(alone, { repair: true, removeUnknown: true })
  return report.discrepancies
    .filter(({ appId }) => appId === app.id)
    .map(({ kind, addonName }) => ({ kind, addonName }))
}

const ref = (addon: { id: string }) => ({ actor: owner, addon: addon.id, app: '' })

test('work under way is no discrepancy, whatever step it is at', async () => {
  const { addon, workflowId } = await order(app, { pending: '1', linger: '1', moves: 'yes' })
  await agreesAtEachStep(workflowId)

  await requestPlan(context, ref(addon), { plan: 'large', waitMs: 0 })
  await agreesAtEachStep(await running(addon.id))

  const id = (await attach(addon.id, app, 'SECOND')) as AttachmentId
  await transaction(pool, (tx) => startDetaching(tx, id, owner))
  await agreesAtEachStep(await running(id))

  await destroyAddon(context, ref(addon), { force: false, waitMs: 0 })
  await agreesAtEachStep(await running(addon.id))
  expect(await discrepancies()).toEqual([])
  await expectNothingLeft(addon, app)
})

describe('a change at any moment of a look is no discrepancy', () => {
  test('of its variables', async () => {
    const addon = await provisioned(app)
    const moments = await agreesAtEachQuery(() => async (moment) => {
      const vars = { WIDGETS_URL: `test://${moment}` }
      await updatePartnerConfig(context, addon.id, vars).catch(() => undefined)
      await drive.finish(await running(addon.id))
    })
    expect(moments).toBeGreaterThan(10)
  })

  test('of its plan', async () => {
    const addon = await provisioned(app)
    const moments = await agreesAtEachQuery(() => async (moment) => {
      const plan = moment % 2 === 0 ? 'large' : 'small'
      await requestPlan(context, ref(addon), { plan, waitMs: 0 })
      expect(await drive.finish(await running(addon.id))).toBe('changed')
    })
    expect(moments).toBeGreaterThan(10)
  })

  test('an attachment that comes', async () => {
    const addon = await provisioned(app)
    const moments = await agreesAtEachQuery(() => async (moment) => {
      await attach(addon.id, app, `NUMBER_${moment}`)
    })
    expect(moments).toBeGreaterThan(10)
  })

  test('an attachment that goes', async () => {
    const addon = await provisioned(app)
    const moments = await agreesAtEachQuery(async () => {
      const id = (await attach(addon.id, app, 'SECOND')) as AttachmentId
      return async () => {
        await transaction(pool, (tx) => startDetaching(tx, id, owner))
        expect(await drive.finish(await running(id))).toBe('detached')
      }
    })
    expect(moments).toBeGreaterThan(10)
  })

  test('the whole add-on', async () => {
    const moments = await agreesAtEachQuery(async () => {
      const addon = await provisioned(app)
      return async () => {
        await destroyAddon(context, ref(addon), { force: false, waitMs: 0 })
        expect(await drive.finish(await running(addon.id))).toBe('deprovisioned')
      }
    })
    expect(moments).toBeGreaterThan(10)
  })
})

/**
 * Has the whole change happen just before the first query of a look, then of another look before
 * the second query, and so on.
 *
 * @param prepare gives the change of the next look
 * @returns how many queries a look has
 */
async function agreesAtEachQuery(
  prepare: () => ((moment: number) => Promise<void>) | Promise<(moment: number) => Promise<void>>,
): Promise<number> {
  for (let moment = 0; ; moment++) {
    const change = await prepare()
    let queries = 0
    const query = async (...args: Parameters<typeof pool.query>) => {
      if (queries++ === moment) await change(moment)
      return pool.query(...args)
    }
    const interrupted = { ...context, pool: Object.assign(Object.create(pool), { query }) as Pool }
    expect({ moment, told: await discrepancies(interrupted) }).toEqual({
      ...{ moment, told: [] },
    })
    if (queries <= moment) return queries
  }
}

/** Looks before each step's commit, with its effect done, and after it. */
async function agreesAtEachStep(workflowId: string): Promise<void> {
  for (;;) {
    if ((await drive.crashDuringStep(workflowId)) === undefined) return
    expect(await discrepancies()).toEqual([])
    await drive.step(workflowId)
    expect(await discrepancies()).toEqual([])
  }
}
