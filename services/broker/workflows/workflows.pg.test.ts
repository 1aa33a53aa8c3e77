import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { must } from '#lib/assert.ts'
import { newId, type AppId } from '#lib/ids.ts'
import { raiseWish } from '#lib/workflow/workflows-db.ts'
import {
  attach,
  attaching,
  closeBrokerWorkflows,
  context,
  drive,
  expectNothingLeft,
  finishEachStepTwice,
  openBrokerWorkflows,
  order,
  owner,
  platform,
  pool,
  provisioned,
  reload,
  running,
} from '../../../test/support/broker-workflows.ts'
import { wishDestroyed } from '../addons.ts'
import { forgetApp } from '../app-events.ts'
import { listAttachmentsOfApps } from '../attachments-db.ts'
import { createAttachment, destroyAttachment, listAttachments } from '../attachments.ts'
import { requestPlan } from '../plan-change.ts'

beforeAll(() => openBrokerWorkflows(inject('engines')))
afterAll(closeBrokerWorkflows)

describe('deprovision-addon', () => {
  test('with each step run twice it makes one release per app, and waits for the provider', async () => {
    const app = await platform.newApp(owner)
    const other = await platform.newApp(owner)
    const { addon, workflowId } = await order(app, { linger: '2' })
    await drive.finish(workflowId)
    await attach(addon.id, other, 'SHARED')
    const [before, beforeOther] = [
      await platform.releases(owner, app),
      await platform.releases(owner, other),
    ]
    await wishDestroyed(pool, addon.id, { actor: owner, force: true })
    await wishDestroyed(pool, addon.id, { actor: owner, force: true })
    await finishEachStepTwice(await running(addon.id))
    await expectNothingLeft(addon, app)
    expect((await platform.releases(owner, app)).slice(before.length)).toEqual([
      `Detach WIDGETS (@ref:${addon.name})`,
    ])
    expect((await platform.releases(owner, other)).slice(beforeOther.length)).toEqual([
      `Detach SHARED (@ref:${addon.name})`,
    ])
  })

  test('an attachment that is under way is awaited, and then taken away too', async () => {
    const app = await platform.newApp(owner)
    const other = await platform.newApp(owner)
    const addon = await provisioned(app)
    const attachment = createAttachment(context, { ...attaching(addon.id, other), name: 'LATE' })
    await attachment.catch(() => undefined)
    const [row] = await listAttachmentsOfApps(pool, [other.id as AppId])
    const attachingId = await running(must(row, 'attachment').id)
    await drive.step(attachingId)
    await wishDestroyed(pool, addon.id, { actor: owner, force: true })
    const removal = await running(addon.id)
    for (let looks = 0; looks < 4; looks++) await drive.step(removal)
    expect(platform.provider.resources.has(addon.id)).toBe(true)
    expect(await drive.finish(attachingId)).toBe('attached')
    expect(await drive.finish(removal)).toBe('deprovisioned')
    expect(await listAttachmentsOfApps(pool, [other.id as AppId])).toEqual([])
    expect(await platform.config(owner, other)).toEqual({})
  })
})

describe('attach-addon and detach-addon', () => {
  test('with each step run twice they make one release each', async () => {
    const app = await platform.newApp(owner)
    const other = await platform.newApp(owner)
    const addon = await provisioned(app)
    const before = await platform.releases(owner, other)
    const id = await attach(addon.id, other, 'SHARED', { twice: true })
    expect(await platform.config(owner, other)).toEqual({ SHARED_URL: `test://${addon.id}` })
    await destroyAttachment(context, owner, id).catch(() => undefined)
    await finishEachStepTwice(await running(id))
    expect(await platform.config(owner, other)).toEqual({})
    expect((await platform.releases(owner, other)).slice(before.length)).toEqual([
      `Attach SHARED (@ref:${addon.name})`,
      `Detach SHARED (@ref:${addon.name})`,
    ])
  })

  test('with a named credential an attachment has its variables, whatever the add-on publishes', async () => {
    const [app, other] = [await platform.newApp(owner), await platform.newApp(owner)]
    const { addon, workflowId } = await order(app, { credential: 'reports', moves: 'yes' })
    await drive.finish(workflowId)
    const namespace = 'credential:reports'
    const before = await platform.releases(owner, other)
    const id = await attach(addon.id, other, 'READER', { twice: true, namespace })
    await attach(addon.id, other, 'WRITER', { namespace: 'credential:default' })
    await requestPlan(
      context,
      { actor: owner, addon: addon.id, app: '' },
      { plan: 'large', waitMs: 0 },
    )
    expect(await drive.finish(await running(addon.id))).toBe('changed')
    expect(await platform.config(owner, other)).toEqual({
      READER_URL: `test://${addon.id}/reports`,
      WRITER_URL: `test://${addon.id}/large`,
    })
    const shown = await listAttachments(context, owner, { app: other.id, addon: '' })
    expect(shown.map(({ view }) => view.attachment.namespace)).toEqual([namespace, ''])
    await destroyAttachment(context, owner, id).catch(() => undefined)
    await finishEachStepTwice(await running(id))
    expect((await platform.releases(owner, other)).slice(before.length)).toEqual([
      `Attach READER (@ref:${addon.name})`,
      `Attach WRITER (@ref:${addon.name})`,
      'Update WRITER_URL by widgets',
      `Detach READER (@ref:${addon.name})`,
    ])
  })

  test('a credential that is not there is refused, also one that goes while it is attached', async () => {
    const app = await platform.newApp(owner)
    const { addon, workflowId } = await order(app, { credential: 'reports' })
    await drive.finish(workflowId)
    for (const namespace of ['credential:none', 'credential:', 'reports'])
      await expect(
        createAttachment(context, { ...attaching(addon.id, app), namespace }),
      ).rejects.toMatchObject({ message: expect.stringContaining(`has no "${namespace}"`) })
    const late = { ...attaching(addon.id, app), name: 'LATE', namespace: 'credential:reports' }
    await createAttachment(context, late).catch(() => undefined)
    const rows = await listAttachmentsOfApps(pool, [app.id as AppId])
    const { id } = must(
      rows.find(({ name }) => name === 'LATE'),
      'attachment',
    )
    platform.provider.resources.set(addon.id, { plan: 'small', options: {} })
    expect(await drive.finish(await running(id), { twice: true })).toBe('refused')
    expect(await platform.config(owner, app)).toEqual({ WIDGETS_URL: `test://${addon.id}` })
    expect(await listAttachmentsOfApps(pool, [app.id as AppId])).toHaveLength(1)
  })

  test('a confirmed name goes from one add-on to the other: one detaches, then one attaches', async () => {
    const app = await platform.newApp(owner)
    const [first, second] = [await provisioned(app), await provisioned(app)]
    await attach(first.id, app, '')
    const before = await platform.releases(owner, app)
    const replacing = createAttachment(context, {
      ...attaching(second.id, app),
      name: 'WIDGETS',
      confirm: app.name,
    })
    await replacing.catch(() => undefined)
    const rows = await listAttachmentsOfApps(pool, [app.id as AppId])
    const next = must(
      rows.find(({ replaces }) => replaces !== null),
      'successor',
    )
    const workflowId = await running(next.id)
    await drive.step(workflowId)
    await drive.step(workflowId)
    expect(await drive.finish(await running(must(next.replaces, 'old')))).toBe('detached')
    expect(await drive.finish(workflowId, { twice: true })).toBe('attached')
    expect((await platform.releases(owner, app)).slice(before.length)).toEqual([
      `Detach WIDGETS (@ref:${first.name})`,
      `Attach WIDGETS (@ref:${second.name})`,
    ])
    expect((await platform.config(owner, app))['WIDGETS_URL']).toBe(`test://${second.id}`)
  })

  test('attaching to an app that is gone is refused and leaves no row', async () => {
    const app = await platform.newApp(owner)
    const other = await platform.newApp(owner)
    const addon = await provisioned(app)
    await createAttachment(context, attaching(addon.id, other)).catch(() => undefined)
    const [row] = await listAttachmentsOfApps(pool, [other.id as AppId])
    const workflowId = await running(must(row, 'attachment').id)
    await platform.apps.destroyApp({ actor: owner, app: other.id })
    await expect(forgetApp(context, other.id as AppId)).rejects.toThrow('not settled yet')
    expect(await drive.finish(workflowId)).toBe('refused')
    await forgetApp(context, other.id as AppId)
    expect(await listAttachmentsOfApps(pool, [other.id as AppId])).toEqual([])
  })

  test('when an app goes, its attachments of other apps’ add-ons go, and its own add-ons', async () => {
    const app = await platform.newApp(owner)
    const other = await platform.newApp(owner)
    const shared = await provisioned(app)
    const own = await provisioned(other)
    const id = await attach(shared.id, other, 'SHARED')
    await platform.apps.destroyApp({ actor: owner, app: other.id })
    await forgetApp(context, other.id as AppId)
    await forgetApp(context, other.id as AppId)
    await drive.finish(await running(id))
    await drive.finish(await running(own.id))
    expect((await reload(own.id)).state).toBe('deprovisioned')
    expect((await reload(shared.id)).state).toBe('provisioned')
    expect(await listAttachmentsOfApps(pool, [other.id as AppId])).toEqual([])
  })
})

test('a wish for what does not run is not raised', async () => {
  expect(await raiseWish(pool, newId(), 'destroy')).toBe(false)
})
