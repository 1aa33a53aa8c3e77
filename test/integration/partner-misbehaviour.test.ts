import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { openMarketplace, type Marketplace } from '../support/marketplace.ts'
import type { PartnerFault, PartnerProvider, PartnerQuirk } from '../support/partner-provider.ts'

let market: Marketplace

beforeAll(async () => {
  market = await openMarketplace(inject('engines'))
})

afterAll(() => market.stop())

/** Neither side has anything left of an add-on that came to nothing. */
async function expectCleanSlate(provider: PartnerProvider, app: string): Promise<void> {
  await eventually(async () => {
    expect(provider.resources.filter(({ state }) => state !== 'gone')).toEqual([])
    const { body } = await market.customer.api('GET', `/apps/${app}/addons`)
    expect(body).toEqual([])
    expect(await market.config(app)).toEqual({})
  }, 20_000)
}

describe.concurrent('an answer that refuses, or cannot be read, is the end: nothing is left, and why is said', () => {
  const words = (message: string) => ({ status: 422, body: { message } })
  const cases: [string, PartnerFault, string][] = [
    ['422 with a message', words('No more of those today.'), 'No more of those today.'],
    ['422 without a body', { status: 422, headers: { 'content-type': 'text/html' } }, '(422)'],
    ['400 with a message', { status: 400, body: { message: 'Bad option.' } }, 'Bad option.'],
    ['401', { status: 401 }, "did not accept Plexus's credentials (401)"],
    ['404', { status: 404, body: '<h1>Not found</h1>' }, '(404) and did not say why'],
    ['410', { status: 410 }, 'was removed before'],
    ['a redirect', 'redirect', 'with a redirect (307)'],
    ['200 with half a JSON', 'garbage', 'something that is no JSON object'],
    ['200 with a list', { status: 200, body: [1, 2] }, 'something that is no JSON object'],
    ['config that is no object', { status: 200, body: { id: '1', config: 'x' } }, 'no object'],
    ['a value that is no text', { status: 200, body: { config: { A: {} } } }, 'A that is no text'],
    ['a value with a NUL', { status: 200, body: { config: { A: '\0' } } }, 'A that is no text'],
    ['half a surrogate', { status: 200, body: { config: { A: '\ud800' } } }, 'A that is no text'],
    ['a variable that it does not declare', { status: 201, body: { config: { X: '1' } } }, 'X'],
    ['a message with control characters', words('a\u001B[31mb\nc'), 'a [31mb c'],
    ['a message that is cut in a character', words('Full. \ud83d'), 'Full. \ufffd'],
  ]

  test.each(cases)('%s', async (_name, fault, message) => {
    const provider = await market.register()
    provider.faults.provision = [fault]
    const app = await market.newApp()
    const refused = await market.order(app, provider.slug)
    expect(refused.status).toBe(422)
    expect(refused.body.message).toContain(message)
    expect(refused.text).not.toMatch(/at \/|node:/)
    await expectCleanSlate(provider, app)
    expect(provider.requests.filter(({ call }) => call === 'provision')).toHaveLength(1)
    expect((await market.releases(app)).filter((text) => text.includes('Attach'))).toEqual([])
  })
})

describe('what was made by an answer that cannot be used is removed by the id that it names', () => {
  test('a variable that is not declared, beside an id of its own', async () => {
    const provider = await market.register({ quirks: ['integer-ids', 'undeclared-config'] })
    const app = await market.newApp()
    const refused = await market.order(app, provider.slug)
    expect(refused.body.message).toContain('which its manifest does not declare')
    await expectCleanSlate(provider, app)
  })

  test('an id that is too large for a number, and one that is no id', async () => {
    const provider = await market.register({ quirks: ['delete-any'] })
    const app = await market.newApp()
    const id = '12345678901234567890'
    provider.faults.provision = [{ status: 201, body: `{"id": ${id}, "config": {}}` }]
    expect((await market.order(app, provider.slug)).body).toMatchObject({ provider_id: id })
    for (const wrong of ['a\u0000b', '\ud800', '..', 'x'.repeat(2_000)]) {
      provider.faults.provision = [{ status: 201, body: { id: wrong } }]
      const refused = await market.order(await market.newApp(), provider.slug)
      expect(refused).toMatchObject({ status: 422, body: { id: 'invalid_params' } })
      expect(refused.body.message).toContain('an id that is no id')
    }
  })

  test('of a plan change: the plan is another one, the variables stay, and that is said', async () => {
    const provider = await market.register()
    const app = await market.newApp()
    const { body } = await market.order(app, provider.slug)
    const before = await market.config(app)
    provider.faults.changePlan = ['garbage']
    const path = `/apps/${app}/addons/${body.name}`
    const changed = await market.customer.api('PATCH', path, { body: { plan: 'premium' } })
    expect(changed).toMatchObject({
      status: 200,
      body: {
        plan: { name: `${provider.slug}:premium` },
        provision_message: expect.stringContaining('the variables stay as they were'),
      },
    })
    expect(await market.config(app)).toEqual(before)
  })
})

// Each with a provider and an app of its own, side by side: most of their time is waiting.
describe.concurrent('an outcome that is not known is asked for again, with the same uuid and a fresh grant', () => {
  const cases: [string, PartnerFault, string][] = [
    ['503 with a message', { status: 503, body: { message: 'Back soon.' } }, 'says: Back soon.'],
    ['500 without one', { status: 500, body: 'Oops' }, 'status 500'],
    ['429', { status: 429 }, 'status 429'],
    ['a connection that is reset', 'reset', 'does not answer. It broke the connection off.'],
    ['an answer that is lost', 'resetAfterWork', 'does not answer. It broke the connection off.'],
    ['no answer', 'hang', 'does not answer. It did not answer within 1 s.'],
    ['an answer that drips', 'drip', 'does not answer.'],
    ['an answer without end', 'huge', 'longer than'],
  ]

  test.each(cases)('%s', async (_name, fault, message) => {
    const provider = await market.register()
    provider.faults.provision = [fault]
    const app = await market.newApp()
    const ordered = market.order(app, provider.slug, { name: `${provider.slug}-x` })
    await eventually(async () => {
      const { body } = await market.addon(`${provider.slug}-x`)
      expect(body).toMatchObject({ state: 'provisioning' })
      expect(body.provision_message).toContain(message)
      expect(body.provision_message).toMatch(/next at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\.$/)
    }, 15_000)
    expect((await ordered).body).toMatchObject({ state: 'provisioned' })
    const asked = provider.requests.filter(({ call }) => call === 'provision')
    expect(new Set(asked.map(({ fields }) => fields['uuid'])).size).toBe(1)
    const codes = asked.map(({ fields }) => (fields['oauth_grant'] as { code: string }).code)
    expect(new Set(codes).size).toBe(2)
    expect(provider.living(String(asked[0]?.fields['uuid']))).toHaveLength(1)
  })

  test('while it is asked in vain its customer may destroy it, and a later answer changes nothing', async () => {
    const provider = await market.register()
    provider.alwaysFaults.provision = 'resetAfterWork'
    const app = await market.newApp()
    const name = `${provider.slug}-x`
    const ordered = market.order(app, provider.slug, { name })
    await eventually(async () =>
      expect((await market.addon(name)).body.provision_message).toContain('does not answer'),
    )
    const gone = await market.customer.api('DELETE', `/apps/${app}/addons/${name}`)
    expect(gone.body).toMatchObject({ state: 'deprovisioned' })
    await ordered
    await expectCleanSlate(provider, app)
  })

  test('one call at a time, however slow it is and however often it is asked for', async () => {
    const provider = await market.register()
    provider.alwaysFaults.provision = { delayMs: 400 }
    const app = await market.newApp()
    await Promise.all([1, 2, 3].map(() => market.order(app, provider.slug)))
    const uuids = provider.requests.map(({ fields }) => fields['uuid'])
    expect(new Set(uuids).size).toBe(uuids.length)
  })
})

describe('ways of real providers that are no faults of the customer', () => {
  const quirks: PartnerQuirk[][] = [
    ['integer-ids'],
    ['number-config'],
    ['any-accept'],
    ['delete-any'],
  ]
  test.each(quirks)('%s', async (quirk) => {
    const provider = await market.register({ quirks: [quirk] })
    const app = await market.newApp()
    const { body } = await market.order(app, provider.slug)
    expect(body.state).toBe('provisioned')
    const [resource] = provider.living(body.id)
    expect(body.provider_id).toBe(String(resource?.id))
    const gone = await market.customer.api('DELETE', `/apps/${app}/addons/${body.name}`)
    expect(gone.body).toMatchObject({ state: 'deprovisioned' })
    await expectCleanSlate(provider, app)
  })

  test('a content type that is wrong, and 200 without a body', async () => {
    const provider = await market.register()
    const app = await market.newApp()
    provider.faults.provision = ['html']
    expect((await market.order(app, provider.slug)).body.state).toBe('provisioned')
    const other = await market.newApp()
    provider.faults.provision = ['empty']
    const { body } = await market.order(other, provider.slug)
    expect(body).toMatchObject({ state: 'provisioned', config_vars: [] })
  })

  test('version 1: another Accept header, and the path that its manifest leaves out', async () => {
    const provider = await market.register({ apiVersion: '1' })
    const app = await market.newApp()
    const { body } = await market.order(app, provider.slug)
    expect(body.state).toBe('provisioned')
    expect(provider.requests[0]?.headers.accept).toBe('application/json')
  })
})

describe.concurrent('a removal goes on until the provider says that it is gone', () => {
  test.each<[string, PartnerFault]>([
    ['500', { status: 500 }],
    ['a reset', 'reset'],
    ['no answer', 'hang'],
  ])('%s first', async (_name, fault) => {
    const provider = await market.register()
    const app = await market.newApp()
    const { body } = await market.order(app, provider.slug)
    provider.faults.deprovision = [fault]
    const gone = await market.customer.api('DELETE', `/apps/${app}/addons/${body.name}`)
    expect(gone.body).toMatchObject({ state: 'deprovisioned' })
    await expectCleanSlate(provider, app)
  })

  test('202, and then its call', async () => {
    const provider = await market.register({ mode: 'async', deprovisions: 'async' })
    const app = await market.newApp()
    const { body } = await market.order(app, provider.slug)
    await eventually(async () =>
      expect((await market.addon(body.name)).body.state).toBe('provisioned'),
    )
    await market.customer.api('DELETE', `/apps/${app}/addons/${body.name}`)
    await expectCleanSlate(provider, app)
    expect(provider.requests.filter(({ call }) => call === 'deprovision')).toHaveLength(1)
  })

  test('never: the customer sees that it is going, and the operator may call it gone', async () => {
    const provider = await market.register()
    const app = await market.newApp()
    const { body } = await market.order(app, provider.slug)
    provider.alwaysFaults.deprovision = { status: 500 }
    const destroyed = market.customer.api('DELETE', `/apps/${app}/addons/${body.name}`)
    await eventually(async () =>
      expect((await market.addon(body.name)).body).toMatchObject({
        state: 'deprovisioning',
        provision_message: expect.stringMatching(
          /says: status 500, and nothing more\. Plexus goes on asking it, next at \S+Z\.$/,
        ) as string,
      }),
    )
    const forgotten = market.forget(body.name)
    expect(await forgotten).toMatchObject({ state: 'deprovisioned' })
    expect((await destroyed).body).toMatchObject({ state: 'deprovisioned' })
    expect((await market.addon(body.name)).status).toBe(404)
    expect(await market.config(app)).toEqual({})
    expect(provider.living(body.id)).toHaveLength(1)
  })
})
