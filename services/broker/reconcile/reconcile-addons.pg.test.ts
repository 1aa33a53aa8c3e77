import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest'
import { must } from '#lib/assert.ts'
import { unavailable } from '#lib/errors.ts'
import { newId, type AppId, type AttachmentId } from '#lib/ids.ts'
import { transaction } from '#lib/postgres.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
import type { App } from '#proto/apps/v1/apps_pb.ts'
import {
  attach,
  attaching,
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
  reload,
  running,
} from '../../../test/support/broker-workflows.ts'
import { driveWorkflows } from '../../../test/support/workflow-suite.ts'
import { destroyAddon } from '../addons.ts'
import { findAttachment, findFirstAttachment, listAttachmentsOfApps } from '../attachments-db.ts'
import { createAttachment } from '../attachments.ts'
import { requestPlan } from '../plan-change.ts'
import { startDetaching } from '../workflows/detach-addon.ts'
import { workflows } from '../workflows/workflows.ts'
import { reconcileAddons } from './reconcile-addons.ts'

beforeAll(() => openBrokerWorkflows(inject('engines')))
afterAll(closeBrokerWorkflows)

let app: App
beforeEach(async () => {
  app = await platform.newApp(owner)
})

const look = { repair: false, removeUnknown: false }
const repair = { repair: true, removeUnknown: false }
const removeUnknown = { repair: true, removeUnknown: true }

/** What is told of this test's app, or of that add-on; those of other tests are not its affair. */
async function discrepancies(mending = look, addonId = '') {
  const report = await reconcileAddons(context, mending)
  return report.discrepancies
    .filter((told) => told.appId === app.id || (addonId !== '' && told.addonId === addonId))
    .map(({ kind, addonName, repaired }) => ({ kind, addonName, repaired }))
}

/** Writes what nobody should have written: into apps, past the broker. */
async function publish(attachment: { id: string; name: string; addonId: string; value: string }) {
  const { id, name, addonId, value } = attachment
  await platform.apps.setAttachment({
    ...{ actor: owner, appId: app.id, changeId: newId(), description: 'by hand' },
    attachment: {
      ...{ id, name, addonId, addonName: 'by-hand', planName: 'widgets:small', billingApp: true },
      vars: { [`${name}_URL`]: value },
    },
  })
}

async function firstAttachment(addon: Awaited<ReturnType<typeof provisioned>>) {
  const attachment = await findFirstAttachment(pool, addon.id)
  if (!attachment) throw new Error('no attachment')
  return attachment
}

describe('the config', () => {
  test('that differs is told, left alone by a look, and repaired in one release', async () => {
    const addon = await provisioned(app)
    const { id, name } = await firstAttachment(addon)
    expect(await discrepancies()).toEqual([])
    await publish({ id, name, addonId: addon.id, value: 'test://wrong' })

    const told = { kind: 'config-differs', addonName: addon.name }
    expect(await discrepancies()).toEqual([{ ...told, repaired: false }])
    expect(await platform.config(owner, app)).toEqual({ WIDGETS_URL: 'test://wrong' })

    expect(await discrepancies(repair)).toEqual([{ ...told, repaired: true }])
    const before = await platform.releases(owner, app)
    expect(await drive.finish(await running(addon.id), { twice: true })).toBe('restored')
    expect(await platform.config(owner, app)).toEqual({ WIDGETS_URL: `test://${addon.id}` })
    expect((await platform.releases(owner, app)).slice(before.length)).toEqual([
      'Update WIDGETS_URL by widgets',
    ])
    expect(await discrepancies()).toEqual([])
  })

  test.each(['attach-missing', 'publish'])(
    'that has lost an attachment gets it back, also over a crash at %s',
    async (crashed) => {
      const addon = await provisioned(app)
      const { id } = await firstAttachment(addon)
      await platform.apps.removeAttachments({
        ...{ actor: owner, appId: app.id, attachmentIds: [id], changeId: newId() },
        description: 'by hand',
      })
      const told = { kind: 'config-differs', addonName: addon.name, repaired: true }
      expect(await discrepancies(repair)).toEqual([told])
      const before = await platform.releases(owner, app)
      const workflowId = await running(addon.id)
      if (crashed === 'publish') await drive.step(workflowId)
      expect(await drive.crashDuringStep(workflowId)).toBe(crashed)
      expect(await drive.finish(workflowId)).toBe('restored')
      expect(await platform.config(owner, app)).toEqual({ WIDGETS_URL: `test://${addon.id}` })
      expect((await platform.releases(owner, app)).slice(before.length)).toEqual([
        `Attach WIDGETS (@ref:${addon.name})`,
      ])
    },
  )

  test('gets nothing back that is detached meanwhile', async () => {
    const addon = await provisioned(app)
    const id = (await attach(addon.id, app, 'SECOND')) as AttachmentId
    await platform.apps.removeAttachments({
      ...{ actor: owner, appId: app.id, attachmentIds: [id], changeId: newId() },
      description: 'by hand',
    })
    await discrepancies(repair)
    const workflowId = await running(addon.id)
    await transaction(pool, (tx) => startDetaching(tx, id, owner))
    expect(await drive.step(workflowId)).toBe('attach-missing')
    expect(Object.keys(await platform.config(owner, app))).toEqual(['WIDGETS_URL'])
    expect(await drive.finish(await running(id))).toBe('detached')
    expect(await drive.finish(workflowId)).toBe('restored')
    expect(Object.keys(await platform.config(owner, app))).toEqual(['WIDGETS_URL'])
  })

  test('keeps nothing of what is detached while it is put back', async () => {
    const addon = await provisioned(app)
    const id = (await attach(addon.id, app, 'SECOND')) as AttachmentId
    await platform.apps.removeAttachments({
      ...{ actor: owner, appId: app.id, attachmentIds: [id], changeId: newId() },
      description: 'by hand',
    })
    await discrepancies(repair)
    const setAttachment: typeof context.apps.setAttachment = async (request) => {
      await transaction(pool, (tx) => startDetaching(tx, id, owner))
      expect(await drive.finish(await running(id))).toBe('detached')
      return context.apps.setAttachment(request)
    }
    const late = { ...context, apps: { ...context.apps, setAttachment } }
    const overtaken = driveWorkflows({ pool, workflows, context: late })
    expect(await overtaken.crashDuringStep(await running(addon.id))).toBe('attach-missing')
    expect(Object.keys(await platform.config(owner, app))).toEqual(['WIDGETS_URL'])
    expect(await drive.finish(await running(addon.id))).toBe('restored')
    expect(await discrepancies()).toEqual([])
  })

  test('that still has what was detached loses it', async () => {
    const addon = await provisioned(app)
    const id = (await attach(addon.id, app, 'SECOND')) as AttachmentId
    await transaction(pool, (tx) => startDetaching(tx, id, owner))
    expect(await drive.finish(await running(id))).toBe('detached')
    await publish({ id, name: 'SECOND', addonId: addon.id, value: 'test://late' })
    expect(await discrepancies(repair)).toEqual([
      { kind: 'config-left-over', addonName: 'by-hand', repaired: true },
    ])
    expect(Object.keys(await platform.config(owner, app))).toEqual(['WIDGETS_URL'])
  })

  test('keeps what the broker does not know until that is wished away', async () => {
    await publish({ id: newId(), name: 'UNKNOWN', addonId: newId(), value: 'test://other' })
    const told = { kind: 'config-unknown', addonName: '' }
    expect(await discrepancies(repair)).toEqual([{ ...told, repaired: false }])
    expect(await platform.config(owner, app)).toEqual({ UNKNOWN_URL: 'test://other' })
    expect(await discrepancies(removeUnknown)).toEqual([{ ...told, repaired: true }])
    expect(await platform.config(owner, app)).toEqual({})
  })
})

describe('resources', () => {
  test('that are missing or of another plan are told, for a person to judge', async () => {
    const lost = await provisioned(app)
    const other = await provisioned(app)
    platform.provider.resources.delete(lost.id)
    platform.provider.resources.set(other.id, { plan: 'large', options: {} })
    expect(await discrepancies(removeUnknown)).toEqual(
      [lost, other]
        .toSorted((a, b) => (a.id < b.id ? -1 : 1))
        .map((addon) => ({
          kind: addon === lost ? 'resource-missing' : 'plan-differs',
          addonName: addon.name,
          repaired: false,
        })),
    )
    platform.provider.resources.set(other.id, { plan: 'small', options: {} })
  })

  test('that outlive their add-on are removed, unknown ones only when that is wished', async () => {
    const addon = await provisioned(app)
    await destroy(addon.id)
    const unknown = newId()
    for (const id of [addon.id, unknown])
      platform.provider.resources.set(id, { plan: 'small', options: {} })
    expect(await discrepancies(repair, unknown)).toEqual(
      expect.arrayContaining([
        { kind: 'resource-left-over', addonName: addon.name, repaired: true },
        { kind: 'resource-unknown', addonName: '', repaired: false },
      ]),
    )
    expect([...platform.provider.resources.keys()]).not.toContain(addon.id)
    expect([...platform.provider.resources.keys()]).toContain(unknown)
    await discrepancies(removeUnknown)
    expect([...platform.provider.resources.keys()]).not.toContain(unknown)
  })

  test('of a provider that does not answer are not compared, and that is told', async () => {
    const { discrepancies: told } = await reconcileAddons(context, look)
    expect(told).toContainEqual(
      expect.objectContaining({
        kind: 'not-compared',
        what: expect.stringContaining('nats://postgres') as string,
      }),
    )
  })
})

describe('what nothing moves', () => {
  test('is moved on: an add-on that is to be made, and one that is to go', async () => {
    const { addon, workflowId } = await order(app)
    await drive.step(workflowId)
    await forget(workflowId)
    const told = { kind: 'not-moving', addonName: addon.name, repaired: true }
    expect(await discrepancies(repair)).toEqual([told])
    expect(await drive.finish(await running(addon.id))).toBe('provisioned')

    const ref = { actor: owner, addon: addon.id, app: '' }
    await destroyAddon(context, ref, { force: false, waitMs: 0 })
    await forget(await running(addon.id))
    expect(await discrepancies(repair)).toEqual([told])
    expect(await drive.finish(await running(addon.id))).toBe('deprovisioned')
    await expectNothingLeft(addon, app)
  })

  test('is moved on: an attachment', async () => {
    const addon = await provisioned(app)
    const id = (await attach(addon.id, app, 'SECOND')) as AttachmentId
    await transaction(pool, (tx) => startDetaching(tx, id, owner))
    await forget(await running(id))
    expect(await discrepancies(repair)).toEqual([
      { kind: 'not-moving', addonName: addon.name, repaired: true },
    ])
    await drive.finish(await running(id))
    expect((await findAttachment(pool, id))?.state).toBe('removed')
  })

  test('is moved on: an attachment that a change of its add-on waits for', async () => {
    const addon = await provisioned(app)
    const ref = { actor: owner, addon: addon.id, app: '' }
    await createAttachment(context, attaching(addon.id, app)).catch(() => undefined)
    const [, second] = await listAttachmentsOfApps(pool, [app.id as AppId])
    await forget(await running(must(second, 'attachment').id))
    await requestPlan(context, ref, { plan: 'large', waitMs: 0 })
    const change = await running(addon.id)
    for (let steps = 0; steps < 3; steps++) await drive.step(change)
    expect((await getRunningWorkflow(pool, addon.id))?.step).toBe('publish')
    expect(await discrepancies(repair)).toEqual([
      { kind: 'not-moving', addonName: addon.name, repaired: true },
    ])
    expect(await drive.finish(await running(must(second, 'attachment').id))).toBe('attached')
    expect(await drive.finish(change)).toBe('changed')
  })

  test('is told when it has been on its way for too long', async () => {
    const { addon, workflowId } = await order(app, { busy: '100' })
    await drive.step(workflowId)
    await pool.query(`update workflows set deadline = now() - interval '1 s' where id = $1`, [
      workflowId,
    ])
    expect(await discrepancies(removeUnknown)).toEqual([
      { kind: 'stuck', addonName: addon.name, repaired: false },
    ])
    await forget(workflowId)
  })
})

describe('an app', () => {
  test('whose destruction nobody told of is told, and its add-ons go only when that is wished', async () => {
    const addon = await provisioned(app)
    await platform.apps.destroyApp({ actor: owner, app: app.id })
    expect(await discrepancies(repair)).toEqual([
      { kind: 'app-gone', addonName: '', repaired: false },
    ])
    expect(await reload(addon.id)).toMatchObject({ state: 'provisioned', destroyWished: false })
    expect(await discrepancies(removeUnknown)).toEqual([
      { kind: 'app-gone', addonName: '', repaired: true },
    ])
    expect(await drive.finish(await running(addon.id))).toBe('deprovisioned')
  })

  test('is not gone while apps is away', async () => {
    await provisioned(app)
    const filterApps = () => Promise.reject(unavailable('Nobody answers.'))
    const away = { ...context, apps: { ...context.apps, filterApps } }
    await expect(reconcileAddons(away, removeUnknown)).rejects.toThrow('Nobody answers')
    expect(await discrepancies()).toEqual([])
  })
})

async function destroy(addonId: string): Promise<void> {
  const ref = { actor: owner, addon: addonId, app: '' }
  await destroyAddon(context, ref, { force: false, waitMs: 0 })
  expect(await drive.finish(await running(addonId))).toBe('deprovisioned')
}

/** As a hand in the database, or a part of it that was restored, leaves it. */
async function forget(workflowId: string): Promise<void> {
  await pool.query('delete from workflows where id = $1', [workflowId])
}
