import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import type { App } from '#proto/apps/v1/apps_pb.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import {
  attach,
  broker,
  closeRunningBroker,
  create,
  get,
  openRunningBroker,
  owner,
  platform,
  refused,
  waitMs,
} from '../support/running-broker.ts'

beforeAll(() => openRunningBroker(inject('engines')))

afterAll(closeRunningBroker)

describe('attachments', () => {
  test('share an add-on with another app, by default under the same name', async () => {
    const [app, other] = [await platform.newApp(owner), await platform.newApp(owner)]
    const addon = await create(app)
    const shared = await attach(addon, other)
    expect(shared).toMatchObject({
      name: 'WIDGETS',
      app: { name: other.name },
      addon: { name: addon.name, app: { name: app.name } },
      configVars: ['WIDGETS_URL'],
    })
    const again = await attach(addon, other)
    expect(again.name).toMatch(/^WIDGETS_[A-Z]+$/)
    const { attachments } = await broker.listAttachments({ actor: owner, addon: addon.name })
    expect(attachments).toHaveLength(3)
    await broker.destroyAttachment({ actor: owner, attachment: shared.id })
    expect(Object.keys(await platform.config(owner, other))).toEqual([`${again.name}_URL`])
    expect((await platform.releases(owner, other)).at(-1)).toBe(
      `Detach WIDGETS (@ref:${addon.name})`,
    )
  })

  test('the last one on the billing app stays', async () => {
    const [app, other] = [await platform.newApp(owner), await platform.newApp(owner)]
    const addon = await create(app)
    await attach(addon, other)
    const first = await broker.getAttachment({
      actor: owner,
      attachment: 'WIDGETS',
      app: app.name,
    })
    await expect(
      broker.destroyAttachment({ actor: owner, attachment: first.id }),
    ).rejects.toMatchObject(
      refused(
        ErrorCode.INVALID_PARAMS,
        `Cannot destroy last attachment to billing app for resource ${addon.name}`,
      ),
    )
  })

  test('a name in use is replaced when confirmed, as pg:promote does it', async () => {
    const app = await platform.newApp(owner)
    const [first, second] = [await create(app), await create(app)]
    await expect(attach(second, app, { name: 'WIDGETS' })).rejects.toMatchObject(
      refused(ErrorCode.CONFIRMATION_REQUIRED, 'already in use'),
    )
    await attach(first, app)
    const before = (await platform.releases(owner, app)).length
    const promoted = await attach(second, app, { name: 'WIDGETS', confirm: app.name })
    expect(promoted).toMatchObject({ name: 'WIDGETS', addon: { name: second.name } })
    expect((await platform.releases(owner, app)).slice(before)).toEqual([
      `Detach WIDGETS (@ref:${first.name})`,
      `Attach WIDGETS (@ref:${second.name})`,
    ])
    expect((await platform.config(owner, app))['WIDGETS_URL']).toBe(`test://${second.id}`)
  })

  test('one that loses its only name to another keeps another name, as redis:promote expects', async () => {
    const app = await platform.newApp(owner)
    const [first, second] = [await create(app), await create(app)]
    await attach(second, app, { name: 'WIDGETS', confirm: app.name })
    const { attachments } = await broker.listAttachments({ actor: owner, addon: first.name })
    expect(attachments).toMatchObject([{ name: expect.stringMatching(/^WIDGETS_[A-Z]+$/) }])
    const config = await platform.config(owner, app)
    expect(config['WIDGETS_URL']).toBe(`test://${second.id}`)
    expect(config[`${attachments[0]?.name}_URL`]).toBe(`test://${first.id}`)
    // The very same attachment again needs no other name.
    await attach(second, app, { name: 'WIDGETS', confirm: app.name })
    expect(Object.keys(await platform.config(owner, app))).toHaveLength(3)
  })
})

describe('who may', () => {
  test('strangers find nothing, whatever they ask', async () => {
    const app = await platform.newApp(owner)
    const addon = await create(app)
    const { attachments } = await broker.listAttachments({ actor: owner, app: app.name })
    const attachment = attachments[0]?.id ?? ''
    const actor = await platform.newUser()
    const theirs = await platform.apps.createApp({ actor })
    const asked = { actor, addon: addon.id }
    const found = [
      broker.getAddon(asked),
      broker.resolveAddons(asked),
      broker.renameAddon({ ...asked, name: 'mine-now' }),
      broker.destroyAddon({ ...asked, force: true }),
      broker.getAddonConfig(asked),
      broker.createAttachment({ ...asked, app: theirs.name }),
      broker.listAddons({ actor, app: app.name }),
      broker.listAttachments({ actor, app: app.name }),
      broker.listAttachments(asked),
      broker.getAttachment({ actor, attachment }),
      broker.destroyAttachment({ actor, attachment }),
      broker.resolveAttachments({ actor, attachment }),
      broker.createAddon({ actor, app: app.name, plan: 'widgets' }),
    ]
    for (const answer of await Promise.allSettled(found))
      expect(answer).toMatchObject({ status: 'rejected', reason: { code: ErrorCode.NOT_FOUND } })
    expect((await broker.listAddons({ actor })).addons).toEqual([])
    expect((await broker.listAttachments({ actor })).attachments).toEqual([])
    expect((await get(addon)).state).toBe('provisioned')
    await expect(broker.listAddons({})).rejects.toMatchObject(refused(ErrorCode.UNAUTHORIZED))
  })

  test('whom it is shared with may see and detach it, but not rename or destroy it', async () => {
    const app = await platform.newApp(owner)
    const addon = await create(app)
    const guest = await platform.newUser()
    const theirs = await platform.newApp(guest)
    await platform.apps.addCollaborator({ actor: guest, app: theirs.name, user: owner.email })
    const shared = await attach(addon, theirs)
    const asked = { actor: guest, addon: addon.name }
    expect((await broker.getAddon(asked)).app?.name).toBe(app.name)
    await expect(broker.destroyAddon({ ...asked, force: true })).rejects.toMatchObject(
      refused(ErrorCode.FORBIDDEN),
    )
    await expect(broker.renameAddon({ ...asked, name: 'mine' })).rejects.toMatchObject(
      refused(ErrorCode.FORBIDDEN),
    )
    await broker.destroyAttachment({ actor: guest, attachment: shared.id })
    await expect(broker.getAddon(asked)).rejects.toMatchObject(refused(ErrorCode.NOT_FOUND))
  })

  test('who is billed for it may detach it from an app that is none of theirs', async () => {
    const addon = await create(await platform.newApp(owner))
    const guest = await platform.newUser()
    const theirs = await platform.newApp(guest)
    await platform.apps.addCollaborator({ actor: guest, app: theirs.name, user: owner.email })
    const shared = await attach(addon, theirs)
    const email = owner.email
    await platform.apps.removeCollaborator({ actor: guest, app: theirs.name, user: email })
    const ofApp = { actor: owner, app: theirs.name, attachment: shared.name }
    await expect(broker.getAttachment(ofApp)).rejects.toMatchObject(refused(ErrorCode.NOT_FOUND))
    await broker.destroyAttachment({ actor: owner, attachment: shared.id })
    expect(await platform.config(guest, theirs)).toEqual({})
    const again = { actor: owner, attachment: shared.id }
    await expect(broker.destroyAttachment(again)).rejects.toMatchObject(
      refused(ErrorCode.NOT_FOUND),
    )
  })
})

test('what a person types finds what they mean: in the app first, by name anywhere', async () => {
  const person = await platform.newUser()
  const [app, other] = [await platform.newApp(person), await platform.newApp(person)]
  const make = (on: App, plan: string) =>
    broker.createAddon({ actor: person, app: on.name, plan, waitMs })
  const [one, two, far] = [
    await make(app, 'widgets:small'),
    await make(app, 'widgets:large'),
    await make(other, 'widgets:small'),
  ]
  const { attachments } = await broker.listAttachments({ actor: person, app: app.name })
  const second = attachments.find(({ addon }) => addon?.id === two.id)?.name ?? ''
  const both = [one.name, two.name].toSorted()
  const cases: Array<[string, string, string[]]> = [
    [one.name, app.name, [one.name]],
    [one.id.toUpperCase(), app.name, [one.name]],
    ['WIDGETS', app.name, [one.name]],
    ['widgets_url', app.name, [one.name]],
    [`${second}_URL`, app.name, [two.name]],
    ['widgets', app.name, both],
    ['widgets:large', app.name, [two.name]],
    ['widgets:large', other.name, []],
    [`${app.name}::${second}`, '', [two.name]],
    [`${app.name}::WIDGETS`, other.name, [one.name]],
    [far.name, app.name, [far.name]],
    [second, other.name, []],
    ['WIDGETS', '', [one.name, far.name].toSorted()],
    ['nope', '', []],
  ]
  for (const [addon, scope, expected] of cases) {
    const found = broker.resolveAddons({ actor: person, addon, app: scope })
    const names = await found.then(
      ({ addons }) => addons.map(({ name }) => name).toSorted(),
      (error: { resource: string; message: string }) => {
        expect(error).toMatchObject({
          resource: 'add_on',
          message: "Couldn't find that add-on.",
        })
        return []
      },
    )
    expect({ addon, scope, names }).toEqual({ addon, scope, names: expected })
  }
  const byVariable = await broker.resolveAttachments({
    actor: person,
    attachment: 'WIDGETS_URL',
    app: app.name,
  })
  expect(byVariable.attachments.map(({ addon }) => addon?.name)).toEqual([one.name])
  const byName = await broker.resolveAttachments({
    actor: person,
    attachment: two.name,
    app: app.name,
  })
  expect(byName.attachments.map(({ name }) => name)).toEqual([second])
  await expect(
    broker.resolveAttachments({ actor: person, attachment: 'NOPE', app: app.name }),
  ).rejects.toMatchObject({
    resource: 'add_on attachment',
    message: "Couldn't find that add on attachment.",
  })
})
