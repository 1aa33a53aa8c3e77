import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { manifestOf, plansOf, readCatalog } from '../../cli/osb-catalog.ts'
import { eventually } from '../support/eventually.ts'
import { openMarketplace, type Marketplace } from '../support/marketplace.ts'
import {
  startOsbBroker,
  type OsbBroker,
  type OsbCallName,
  type OsbFault,
} from '../support/osb-broker.ts'
import type { OsbRules } from '../support/osb-broker-instances.ts'

let market: Marketplace
const brokers: OsbBroker[] = []

beforeAll(async () => {
  market = await openMarketplace(inject('engines'))
})

afterAll(async () => {
  await market.stop()
  for (const broker of brokers) await broker.stop()
})

/** A broker of a test's own, whose service the customer may have. */
async function register(rules: Partial<OsbRules> = {}): Promise<OsbBroker & { slug: string }> {
  const broker = await startOsbBroker({ polls: 0, ...rules })
  brokers.push(broker)
  const [service] = readCatalog('catalog', broker.catalog)
  if (!service) throw new Error('the catalog is empty')
  await market.push(
    service.slug,
    manifestOf(service, broker, undefined),
    plansOf(service, undefined),
  )
  return Object.assign(broker, { slug: service.slug })
}

const destroy = (app: string, addon: string) =>
  market.customer.api('DELETE', `/apps/${app}/addons/${addon}`)

/** Neither side has anything left. */
async function expectCleanSlate(broker: OsbBroker, app: string): Promise<void> {
  await eventually(async () => {
    expect([...broker.instances.values()]).toEqual([])
    const { body } = await market.customer.api('GET', `/apps/${app}/addons`)
    expect(body).toEqual([])
    expect(await market.config(app)).toEqual({})
  }, 20_000)
}

const count = (broker: OsbBroker, call: OsbCallName): number => broker.asked(call).length

describe.concurrent('the table of orphan mitigation', () => {
  const refused: [string, OsbFault, string][] = [
    ['400', { status: 400, body: { description: 'Shelves are sold out.' } }, 'sold out'],
    ['409', { status: 409, body: {} }, '(409)'],
    ['200 that cannot be read', { status: 200, body: '{"half' }, 'no JSON object'],
  ]
  test.each(refused)('provisioning, %s: nothing is removed', async (_name, fault, words) => {
    const broker = await register()
    broker.faults.provision = [fault]
    const app = await market.newApp()
    const { status, body } = await market.order(app, broker.slug)
    expect([status, body.message]).toEqual([422, expect.stringContaining(words)])
    await expectCleanSlate(broker, app)
    expect([count(broker, 'provision'), count(broker, 'deprovision')]).toEqual([1, 0])
  })

  test('provisioning, 400 to a try that follows a lost reply: it is removed', async () => {
    const broker = await register()
    broker.faults.provision = ['resetAfterWork', { status: 400, body: {} }]
    const app = await market.newApp()
    expect((await market.order(app, broker.slug)).status).toBe(422)
    await expectCleanSlate(broker, app)
    expect(count(broker, 'deprovision')).toBe(1)
  })

  const removed: [string, OsbFault, Partial<OsbRules>, string][] = [
    [
      '201 that cannot be read',
      { otherAnswer: { status: 201, body: '[1]' } },
      {},
      'no JSON object',
    ],
    ['another 2xx', { otherAnswer: { status: 203, body: {} } }, {}, '203'],
    [
      '202 with an operation that is none',
      { otherAnswer: { status: 202, body: { operation: 5 } } },
      {},
      'operation',
    ],
    [
      'work that fails',
      { otherAnswer: { status: 202, body: {} } },
      { ends: 'failed' },
      'Out of disks.',
    ],
  ]
  test.each(removed)('provisioning, %s: it is removed', async (_name, fault, rules, words) => {
    const broker = await register({ asyncInstances: 'ends' in rules, ...rules })
    if (!('ends' in rules)) broker.faults.provision = [fault]
    broker.faults.deprovision = [{ status: 500 }]
    const app = await market.newApp()
    const { status, body } = await market.order(app, broker.slug)
    expect([status, body.message]).toEqual([422, expect.stringContaining(words)])
    broker.rules.ends = 'succeeded'
    await expectCleanSlate(broker, app)
    expect(count(broker, 'provision')).toBe(1)
    expect(count(broker, 'deprovision')).toBeGreaterThan(1)
  })

  const unknown: [string, OsbFault, string][] = [
    ['500', { status: 500, body: { description: 'Oops.' } }, 'says: Oops.'],
    ['408', { status: 408, body: {} }, 'status 408'],
    ['a reply that is lost', 'resetAfterWork', 'broke the connection off'],
    ['no answer', 'hang', 'did not answer within 1 s'],
    ['ConcurrencyError', { status: 422, body: { error: 'ConcurrencyError' } }, 'is busy'],
  ]
  test.each(unknown)('provisioning, %s: the same is asked again', async (_name, fault, words) => {
    const broker = await register()
    broker.faults.provision = [fault]
    const app = await market.newApp()
    const name = `${broker.slug}-x`
    const ordered = market.order(app, broker.slug, { name })
    await eventually(async () =>
      expect((await market.addon(name)).body.provision_message).toContain(words),
    )
    expect((await ordered).body).toMatchObject({ state: 'provisioned' })
    const [first, second, ...more] = broker.asked('provision')
    expect(second).toMatchObject({ instanceId: first?.instanceId, fields: first?.fields })
    expect([more, count(broker, 'deprovision')]).toEqual([[], 0])
    await destroy(app, name)
    await expectCleanSlate(broker, app)
  })
})

describe.concurrent('credentials that the first attachment does not get', () => {
  const cases: [string, OsbFault | 'fails', number][] = [
    ['a refusal', { status: 400, body: { description: 'No users left.' } }, 0],
    ['201 that cannot be read', { otherAnswer: { status: 201, body: { credentials: 'x' } } }, 1],
    ['work that fails', 'fails', 1],
  ]
  test.each(cases)('%s: the add-on is given up and removed', async (_name, fault, unbinds) => {
    const broker = await register({ asyncBindings: fault === 'fails', ends: 'failed' })
    if (fault !== 'fails') broker.faults.bind = [fault]
    const app = await market.newApp()
    expect((await market.order(app, broker.slug)).status).toBe(422)
    broker.rules.ends = 'succeeded'
    await expectCleanSlate(broker, app)
    expect(Math.min(count(broker, 'unbind'), 1)).toBe(unbinds)
    expect((await market.releases(app)).filter((text) => text.includes('Attach'))).toEqual([])
  })

  test('a reply that is lost: the same is asked again, and there is one binding', async () => {
    const broker = await register()
    broker.faults.bind = ['resetAfterWork']
    const app = await market.newApp()
    const { body } = await market.order(app, broker.slug)
    expect(body.state).toBe('provisioned')
    expect(broker.instances.get(body.id)?.bindings.size).toBe(1)
    await destroy(app, body.name)
    await expectCleanSlate(broker, app)
  })
})

describe.concurrent('work in the background', () => {
  test('is asked after on and on, when the broker wants it, whatever it answers meanwhile', async () => {
    const broker = await register({ asyncInstances: true, polls: 1, retryAfter: 2 })
    broker.faults.lastOperation = [{ status: 410, body: {} }]
    const app = await market.newApp()
    const { body } = await market.order(app, broker.slug)
    await eventually(
      async () => expect((await market.addon(body.name)).body.state).toBe('provisioned'),
      25_000,
    )
    const [before = 0, after = 0] = broker
      .asked('lastOperation')
      .slice(-2)
      .map(({ atMs }) => atMs)
    expect(after - before).toBeGreaterThan(1_900)
    expect(count(broker, 'provision')).toBe(1)
    await destroy(app, body.name)
    await expectCleanSlate(broker, app)
  })

  test('that never ends can be wished away, and its customer sees how far it is', async () => {
    const broker = await register({ asyncInstances: true, unnamed: true, polls: 1_000_000 })
    const app = await market.newApp()
    const name = `${broker.slug}-x`
    const ordered = market.order(app, broker.slug, { name })
    await eventually(async () =>
      expect((await market.addon(name)).body).toMatchObject({
        state: 'provisioning',
        provision_message: 'Working on it.',
      }),
    )
    broker.rules.polls = 0
    await destroy(app, name)
    await ordered
    await expectCleanSlate(broker, app)
  })

  test('of a plan change may fail: the plan stays, and the reason is shown', async () => {
    const broker = await register({ asyncInstances: true })
    const app = await market.newApp()
    const { body } = await market.order(app, broker.slug)
    broker.rules.ends = 'failed'
    const path = `/apps/${app}/addons/${body.name}`
    const refused = await market.customer.api('PATCH', path, { body: { plan: 'large' } })
    expect([refused.status, refused.text]).toEqual([422, expect.stringContaining('Out of disks.')])
    expect((await market.addon(body.name)).body).toMatchObject({
      state: 'provisioned',
      plan: { name: `${broker.slug}:small` },
    })
    expect(count(broker, 'deprovision')).toBe(0)
    broker.rules.ends = 'succeeded'
    await destroy(app, body.name)
    await expectCleanSlate(broker, app)
  })

  test('of a removal may fail: it is begun again until it is gone', async () => {
    const broker = await register()
    const app = await market.newApp()
    const { body } = await market.order(app, broker.slug)
    broker.rules.asyncBindings = true
    broker.rules.ends = 'failed'
    const gone = destroy(app, body.name)
    await eventually(async () => {
      const { state, provision_message: message } = (await market.addon(body.name)).body
      expect([state, message]).toEqual([
        'deprovisioning',
        expect.stringContaining('says: Out of disks. Plexus goes on asking it, next at'),
      ])
    }, 15_000)
    await eventually(() => expect(count(broker, 'unbind')).toBeGreaterThan(1), 15_000)
    broker.rules.ends = 'succeeded'
    await gone
    await expectCleanSlate(broker, app)
  })
})
