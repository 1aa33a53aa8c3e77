import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { newId } from '#lib/ids.ts'
import { eventually } from '../support/eventually.ts'
import {
  broker,
  closeRunningBroker,
  create,
  destroy,
  openRunningBroker,
  owner,
  platform,
  service,
  startBroker,
} from '../support/running-broker.ts'

beforeAll(() => openRunningBroker(inject('engines')))

afterAll(closeRunningBroker)

describe('kill -9 of the broker', () => {
  test('while add-ons are made ends with each of them once, and one release each', async () => {
    const app = await platform.newApp(owner)
    const names = Array.from({ length: 5 }, () => `killed-${newId()}`)
    const options = [{}, { pending: '1' }, { hold: 'yes' }, { bug: '1' }, {}]
    for (const [index, name] of names.entries())
      void create(app, { name, options: options[index] ?? {} }).catch(() => undefined)
    const addons = await eventually(async () => {
      const list = (await broker.listAddons({ actor: owner, app: app.name })).addons
      expect(list).toHaveLength(names.length)
      return list
    })
    await service.kill()
    for (const { id } of addons) platform.provider.release(id)
    await startBroker()
    await eventually(async () => {
      const list = (await broker.listAddons({ actor: owner, app: app.name })).addons
      expect(list.map(({ state }) => state)).toEqual(names.map(() => 'provisioned'))
    }, 25_000)
    const attached = (await platform.releases(owner, app)).filter((text) =>
      text.startsWith('Attach'),
    )
    expect(attached).toHaveLength(names.length)
    expect(Object.keys(await platform.config(owner, app))).toHaveLength(names.length)
    for (const { id } of addons) expect(platform.provider.resources.has(id)).toBe(true)
  })

  test('while add-ons are destroyed ends with nothing left, and one release each', async () => {
    const app = await platform.newApp(owner)
    const addons = [
      await create(app),
      await create(app, { options: { linger: '1' } }),
      await create(app),
    ]
    const provisioning = await create(app, { options: { hold: 'yes' }, waitMs: 0 })
    await Promise.all([...addons, provisioning].map((addon) => destroy(addon, { waitMs: 0 })))
    await service.kill()
    platform.provider.release(provisioning.id)
    await startBroker()
    await eventually(async () => {
      const list = (await broker.listAddons({ actor: owner, app: app.name })).addons
      expect(list).toEqual([])
    }, 25_000)
    for (const { id } of [...addons, provisioning])
      expect(platform.provider.resources.has(id)).toBe(false)
    expect(await platform.config(owner, app)).toEqual({})
    const detached = (await platform.releases(owner, app)).filter((text) =>
      text.startsWith('Detach'),
    )
    expect(detached).toHaveLength(addons.length)
  })
})

test('two brokers share the work, and each add-on is asked for once', async () => {
  const second = await platform.startBroker()
  try {
    const app = await platform.newApp(owner)
    const addons = await Promise.all(Array.from({ length: 8 }, () => create(app)))
    expect(addons.map(({ state }) => state)).toEqual(addons.map(() => 'provisioned'))
    const asked = addons.map(
      ({ id }) => platform.provider.calls.filter((call) => call === `provision ${id}`).length,
    )
    expect(asked).toEqual(addons.map(() => 1))
  } finally {
    await second.stop()
  }
})

test('a broker that is told to stop first answers those who wait how far it has come', async () => {
  const app = await platform.newApp(owner)
  const name = `waited-for-${newId()}`
  const waiting = create(app, { name, options: { pending: '1000' } })
  await eventually(async () => {
    const list = (await broker.listAddons({ actor: owner, app: app.name })).addons
    expect(list.map(({ provisionMessage }) => provisionMessage)).toEqual(['Being made.'])
  })
  const begun = Date.now()
  await service.stop()
  expect(Date.now() - begun).toBeLessThan(4_000)
  expect(await waiting).toMatchObject({ name, state: 'provisioning' })
  await startBroker()
  await destroy(await waiting)
})
