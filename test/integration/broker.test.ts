import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { newId } from '#lib/ids.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { eventually } from '../support/eventually.ts'
import {
  attach,
  broker,
  closeRunningBroker,
  create,
  destroy,
  get,
  openRunningBroker,
  owner,
  platform,
  refused,
  service,
  startBroker,
  type Order,
} from '../support/running-broker.ts'
import { startService } from '../support/services.ts'

beforeAll(() => openRunningBroker(inject('engines')))

afterAll(closeRunningBroker)

describe('the catalogue', () => {
  test('shows services and plans, cheapest first, under ids that a restart keeps', async () => {
    const { addonServices } = await broker.listAddonServices({})
    expect(addonServices.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['heroku-postgresql', 'heroku-redis']),
    )
    const { plans } = await broker.listPlans({ addonService: 'heroku-postgresql' })
    expect(plans.map(({ name, priceCents }) => [name, priceCents])).toEqual([
      ['heroku-postgresql:essential-0', 500],
      ['heroku-postgresql:essential-1', 900],
      ['heroku-postgresql:essential-2', 2000],
      ['heroku-postgresql:standard-0', 5000],
    ])
    expect(plans[0]?.description).toBe('A PostgreSQL database (size 1 GB, 20 connections)')
    await service.stop()
    await startBroker()
    const again = await broker.listPlans({ addonService: 'heroku-postgresql' })
    expect(again).toEqual({ $typeName: 'plexus.broker.v1.PlanList', plans })
    expect((await broker.getPlan({ plan: 'heroku-redis' })).name).toBe('heroku-redis:mini')
  })

  test('is never half declared: a wrong manifest stops the start and says why', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'plexus-wrong-manifest-'))
    await cp(platform.manifestsDir, folder, { recursive: true })
    await writeFile(join(folder, 'widgets.plans.json'), '{"state":"ga","plans":"none"}')
    const started = startService('broker', inject('engines'), { PLEXUS_ADDON_MANIFESTS: folder })
    await expect(started).rejects.toThrow('widgets.plans.json: plans must be a list')
    await rm(folder, { recursive: true })
    expect((await broker.listPlans({ addonService: 'widgets' })).plans).toHaveLength(2)
  })

  test('what is not there is not found', async () => {
    await expect(broker.getAddonService({ addonService: 'nope' })).rejects.toMatchObject(
      refused(ErrorCode.NOT_FOUND, "Couldn't find that add-on service."),
    )
    await expect(broker.getPlan({ plan: 'widgets:huge' })).rejects.toMatchObject(
      refused(ErrorCode.NOT_FOUND, "Couldn't find that plan."),
    )
  })
})

describe('creating an add-on', () => {
  test('answers it provisioned, with its variables, after one release', async () => {
    const app = await platform.newApp(owner)
    const addon = await create(app, { options: { size: '3' } })
    expect(addon).toMatchObject({
      state: 'provisioned',
      app: { id: app.id, name: app.name },
      plan: { name: 'widgets:small', addonService: { name: 'widgets' } },
      configVars: ['WIDGETS_URL'],
      providerId: `r-${addon.id}`,
      provisionMessage: 'Made.',
    })
    expect(addon.name).toMatch(/^widgets-[a-z]+-\d{5}$/)
    expect(platform.provider.resources.get(addon.id)).toEqual({
      plan: 'small',
      options: { size: '3' },
    })
    expect((await platform.releases(owner, app)).at(-1)).toBe(`Attach WIDGETS (@ref:${addon.name})`)
    expect(await platform.config(owner, app)).toEqual({ WIDGETS_URL: `test://${addon.id}` })
    expect((await broker.getAddonConfig({ actor: owner, addon: addon.name })).vars).toEqual({
      WIDGETS_URL: `test://${addon.id}`,
    })
  })

  test('answers provisioning when the provider takes its time, and goes on by itself', async () => {
    const app = await platform.newApp(owner)
    const addon = await create(app, { options: { pending: '2' }, waitMs: 100 })
    expect(addon).toMatchObject({ state: 'provisioning', configVars: [] })
    expect(await platform.config(owner, app)).toEqual({})
    await expect(attach(addon, app, { name: 'OTHER' })).rejects.toMatchObject(
      refused(ErrorCode.CONFLICT, 'still being created'),
    )
    await eventually(async () => expect((await get(addon)).state).toBe('provisioned'))
  })

  test('asks again, and makes it once, when the provider is down or fails at first', async () => {
    const app = await platform.newApp(owner)
    await platform.stopProvider()
    const addon = await create(app, { options: { busy: '1', bug: '2' }, waitMs: 300 })
    expect(addon.state).toBe('provisioning')
    await platform.startProvider()
    await eventually(async () => expect((await get(addon)).state).toBe('provisioned'), 20_000)
    const attached = (await platform.releases(owner, app)).filter((text) =>
      text.startsWith('Attach'),
    )
    expect(attached).toEqual([`Attach WIDGETS (@ref:${addon.name})`])
  })

  test('is not held up by calls that a provider leaves unanswered', async () => {
    const app = await platform.newApp(owner)
    const hold = { options: { hold: 'yes' }, waitMs: 0 }
    const hanging = await Promise.all(Array.from({ length: 20 }, () => create(app, hold)))
    expect((await create(app)).state).toBe('provisioned')
    for (const { id } of hanging) platform.provider.release(id)
    await Promise.all(hanging.map((addon) => destroy(addon)))
  })

  test("answers the provider's refusal in its words, and leaves nothing", async () => {
    const app = await platform.newApp(owner)
    const order = { name: `refused-${newId()}`, options: { refuse: 'We are full.' } }
    await expect(create(app, order)).rejects.toMatchObject(
      refused(ErrorCode.INVALID_PARAMS, 'We are full.'),
    )
    const shown = await eventually(async () => {
      const addon = await broker.getAddon({ actor: owner, addon: order.name })
      expect(addon.state).toBe('deprovisioned')
      return addon
    })
    expect(shown.provisionMessage).toBe('We are full.')
    expect((await broker.listAddons({ actor: owner, app: app.name })).addons).toEqual([])
  })

  test('refuses what cannot be, before anything is made', async () => {
    const app = await platform.newApp(owner)
    const taken = await create(app)
    const calls = platform.provider.calls.length
    const cases: Array<[Order, ErrorCode, string]> = [
      [{ plan: 'widgets:huge' }, ErrorCode.INVALID_PARAMS, "Couldn't find either the add-on"],
      [{ plan: 'nope' }, ErrorCode.INVALID_PARAMS, "Couldn't find either the add-on"],
      [{ name: taken.name }, ErrorCode.INVALID_PARAMS, 'Name is already taken'],
      [{ name: '1' }, ErrorCode.INVALID_PARAMS, 'Name must start with a letter'],
      [{ attachmentName: 'a-b' }, ErrorCode.INVALID_PARAMS, 'Attachment name'],
      [{ attachmentName: 'widgets' }, ErrorCode.CONFIRMATION_REQUIRED, 'already in use'],
      [{ app: newId() }, ErrorCode.NOT_FOUND, "Couldn't find that app."],
      [{ options: { x: 'x'.repeat(20_000) } }, ErrorCode.INVALID_PARAMS, 'options'],
    ]
    for (const [order, code, words] of cases)
      await expect(create(app, order)).rejects.toMatchObject(refused(code, words))
    expect(platform.provider.calls.length).toBe(calls)
    expect((await broker.listAddons({ actor: owner, app: app.name })).addons).toHaveLength(1)
  })

  test('a service without many_per_app is installed once, and not shared', async () => {
    const [app, other] = [await platform.newApp(owner), await platform.newApp(owner)]
    const addon = await create(app, { plan: 'gadgets' })
    await expect(create(app, { plan: 'gadgets' })).rejects.toMatchObject(
      refused(ErrorCode.INVALID_PARAMS, 'only once per app'),
    )
    await expect(attach(addon, other)).rejects.toMatchObject(
      refused(ErrorCode.INVALID_PARAMS, 'cannot be shared'),
    )
  })

  test("asks before it replaces a variable of the user's, and replaces it when confirmed", async () => {
    const app = await platform.newApp(owner)
    await platform.apps.updateConfigVars({
      actor: owner,
      app: app.id,
      set: { WIDGETS_URL: 'mine' },
    })
    await expect(create(app)).rejects.toMatchObject(
      refused(ErrorCode.CONFIRMATION_REQUIRED, 'WIDGETS_URL'),
    )
    expect(await platform.config(owner, app)).toEqual({ WIDGETS_URL: 'mine' })
    const addon = await create(app, { confirm: app.name })
    expect(await platform.config(owner, app)).toEqual({ WIDGETS_URL: `test://${addon.id}` })
  })

  test('many at once get names of their own and one release each, without a gap', async () => {
    const app = await platform.newApp(owner)
    const addons = await Promise.all(Array.from({ length: 6 }, () => create(app)))
    expect(addons.map(({ state }) => state)).toEqual(addons.map(() => 'provisioned'))
    const { attachments } = await broker.listAttachments({ actor: owner, app: app.name })
    expect(new Set(attachments.map(({ name }) => name)).size).toBe(6)
    expect(attachments.map(({ name }) => name)).toContain('WIDGETS')
    const attached = (await platform.releases(owner, app)).filter((text) =>
      text.startsWith('Attach'),
    )
    expect(attached).toHaveLength(6)
    expect(Object.keys(await platform.config(owner, app))).toHaveLength(6)
  })
})

describe('destroying an add-on', () => {
  test('takes its variables, its resource and its name away', async () => {
    const app = await platform.newApp(owner)
    const addon = await create(app)
    expect((await destroy(addon)).state).toBe('deprovisioned')
    await expect(get(addon)).rejects.toMatchObject({
      ...refused(ErrorCode.NOT_FOUND, "Couldn't find that add-on."),
      resource: 'add_on',
    })
    expect(platform.provider.resources.has(addon.id)).toBe(false)
    expect(await platform.config(owner, app)).toEqual({})
    expect((await platform.releases(owner, app)).at(-1)).toBe(`Detach WIDGETS (@ref:${addon.name})`)
    expect((await create(app, { name: addon.name })).state).toBe('provisioned')
  })

  test('answers deprovisioning while the provider takes its time', async () => {
    const app = await platform.newApp(owner)
    const addon = await create(app, { options: { linger: '2' } })
    expect((await destroy(addon, { waitMs: 50 })).state).toBe('deprovisioning')
    await eventually(() => expect(get(addon)).rejects.toMatchObject({ resource: 'add_on' }))
    expect(platform.provider.resources.has(addon.id)).toBe(false)
  })

  test('while it is provisioning it is shown as going, and goes when the provider has answered', async () => {
    const app = await platform.newApp(owner)
    const addon = await create(app, { options: { hold: 'yes' }, waitMs: 50 })
    expect((await destroy(addon, { waitMs: 50 })).state).toBe('deprovisioning')
    expect((await get(addon)).state).toBe('deprovisioning')
    expect(platform.provider.inFlight(addon.id)).toBe(1)
    platform.provider.release(addon.id)
    await eventually(() => expect(get(addon)).rejects.toMatchObject({ resource: 'add_on' }))
    expect(platform.provider.resources.has(addon.id)).toBe(false)
    expect(await platform.config(owner, app)).toEqual({})
  })

  test('is refused while it is attached to other apps, unless forced', async () => {
    const [app, other] = [await platform.newApp(owner), await platform.newApp(owner)]
    const addon = await create(app)
    await attach(addon, other)
    await expect(destroy(addon)).rejects.toMatchObject(
      refused(ErrorCode.CONFLICT, 'also attached to another app'),
    )
    expect((await destroy(addon, { force: true })).state).toBe('deprovisioned')
    expect(await platform.config(owner, other)).toEqual({})
  })

  test('happens by itself when the app is destroyed', async () => {
    const app = await platform.newApp(owner)
    const addon = await create(app)
    await platform.apps.destroyApp({ actor: owner, app: app.name })
    await eventually(() => expect(platform.provider.resources.has(addon.id)).toBe(false))
  })
})

test('a renamed add-on is found under its new name only', async () => {
  const app = await platform.newApp(owner)
  const [addon, taken] = [await create(app), await create(app)]
  const name = `renamed-${newId()}`
  const asked = { actor: owner, addon: addon.name, app: app.name }
  expect((await broker.renameAddon({ ...asked, name })).name).toBe(name)
  await expect(broker.getAddon(asked)).rejects.toMatchObject(refused(ErrorCode.NOT_FOUND))
  expect((await broker.getAddon({ actor: owner, addon: name })).id).toBe(addon.id)
  await expect(
    broker.renameAddon({ actor: owner, addon: name, name: taken.name }),
  ).rejects.toMatchObject(refused(ErrorCode.INVALID_PARAMS, 'Name is already taken'))
})
