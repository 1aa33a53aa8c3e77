import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { createAccount } from '../support/accounts.ts'
import { apiClient } from '../support/http.ts'
import { openMarketplace, type Marketplace } from '../support/marketplace.ts'

let market: Marketplace
let stranger: ReturnType<typeof apiClient>

beforeAll(async () => {
  const engines = inject('engines')
  market = await openMarketplace(engines)
  stranger = apiClient(market.base, (await createAccount(engines)).token)
})

afterAll(() => market.stop())

type Revision = { id: string; contents: Record<string, unknown>; plans: Record<string, unknown> }

const manifestsOf = (slug: string): string => `/api/v3/addons/${slug}/manifests`
const pull = async (owner: ReturnType<typeof apiClient>, slug: string): Promise<Revision> =>
  (await owner('GET', `/api/v3/addons/${slug}/current_manifest`)).body as Revision

test('a push answers what is in force, and every revision can be looked up', async () => {
  const { slug, owner, manifest } = await market.register()
  const first = await pull(owner, slug)
  expect(first.contents).toEqual({ ...manifest, $base: expect.any(Number) })
  const contents = { ...first.contents, name: 'Acme, the second' }
  const pushed = await owner('POST', manifestsOf(slug), { body: { contents } })
  expect(pushed.status).toBe(201)
  expect(pushed.body).toMatchObject({ contents: { name: 'Acme, the second' } })
  // The secret is shown once, at the first push.
  expect(pushed.body).not.toHaveProperty('client_secret')
  const listed = (await owner('GET', manifestsOf(slug))).body as Revision[]
  expect(listed.map(({ id }) => id)).toEqual([(pushed.body as Revision).id, first.id])
  expect((await owner('GET', `${manifestsOf(slug)}/${first.id}`)).body).toEqual(first)
  expect((await market.customer.api('GET', `/addon-services/${slug}`)).body).toMatchObject({
    human_name: 'Acme, the second',
    state: 'alpha',
  })
  // Pushed again as it is, it is no new revision.
  const again = (pushed.body as Revision).contents
  await owner('POST', manifestsOf(slug), { body: { contents: again } })
  expect((await owner('GET', manifestsOf(slug))).body).toHaveLength(2)
})

test('a push that is based on an older revision, or on none, is refused', async () => {
  const { slug, owner, manifest } = await market.register()
  const { contents } = await pull(owner, slug)
  const push = (body: object) => owner('POST', manifestsOf(slug), { body: { contents: body } })
  expect((await push({ ...contents, name: 'New' })).status).toBe(201)
  const stale = await push({ ...contents, name: 'Newer' })
  expect(stale).toMatchObject({ status: 409, body: { id: 'conflict' } })
  expect((await push(manifest)).text).toContain('Pull the newest')
})

test('what is wrong in it is told by field, rule and value; nothing changes', async () => {
  const { slug, owner } = await market.register()
  const { contents } = await pull(owner, slug)
  const push = async (body: object): Promise<string> => {
    const answer = await owner('POST', manifestsOf(slug), { body })
    expect(answer.status).toBe(422)
    return answer.text
  }
  const api = contents['api'] as Record<string, unknown>
  expect(await push({ contents: { ...contents, id: 'other' } })).toContain('as in the path')
  expect(
    await push({ contents: { ...contents, api: { ...api, config_vars: ['URL'] } } }),
  ).toContain('api.config_vars must be in upper case and start with')
  const renamed = { ...api, config_vars_prefix: 'OTHER', config_vars: ['OTHER_URL'] }
  expect(await push({ contents: { ...contents, api: renamed } })).toContain(
    'config_vars_prefix stays',
  )
  expect(await push({ contents: { ...contents, name: 'a\u001b[31m' } })).toContain(
    'name must match',
  )
  expect(await push({ contents: { ...contents, more: 'x'.repeat(70_000) } })).toContain(
    'is longer than',
  )
  const inside = { ...api, production: { base_url: 'nats://postgres' } }
  expect(await push({ contents: { ...contents, api: inside } })).toContain(
    'must be an https:// url',
  )
  const paid = { state: 'alpha', plans: [{ slug: 'a', name: 'A', price_cents: 1, default: true }] }
  expect(await push({ contents, plans: paid })).toContain('must be free while the service is alpha')
  expect((await pull(owner, slug)).contents).toEqual(contents)
})

test('a service in alpha is there for its owner and its testers, and open to nobody else', async () => {
  const { slug, owner } = await market.register()
  const app = String(Reflect.get(Object((await stranger('POST', '/apps')).body), 'name'))
  for (const path of [`/addon-services/${slug}`, `/addon-services/${slug}/plans`])
    expect((await stranger('GET', path)).status).toBe(404)
  const services = (await stranger('GET', '/addon-services')).body as { name: string }[]
  expect(services.map(({ name }) => name)).not.toContain(slug)
  const refused = await stranger('POST', `/apps/${app}/addons`, { body: { plan: slug } })
  expect(refused).toMatchObject({ status: 422, body: { id: 'invalid_params' } })
  for (const client of [owner, market.customer.api])
    expect((await client('GET', `/addon-services/${slug}`)).body).toMatchObject({ state: 'alpha' })
  for (const path of ['manifests', 'current_manifest'])
    expect((await stranger('GET', `/api/v3/addons/${slug}/${path}`)).status).toBe(404)
  for (const path of ['manifests', 'current_manifest'])
    expect((await market.customer.api('GET', `/api/v3/addons/${slug}/${path}`)).status).toBe(403)
})

test('a slug belongs to who pushed it first, and those of the operator to nobody', async () => {
  const { slug, owner, manifest } = await market.register()
  const body = { contents: manifest }
  expect((await stranger('POST', manifestsOf(slug), { body })).status).toBe(403)
  const redis = { contents: { ...manifest, id: 'heroku-redis' } }
  expect((await owner('POST', manifestsOf('heroku-redis'), { body: redis })).status).toBe(403)
})

test('the operator opens a service; its owner may close it and set prices then', async () => {
  const { slug, owner } = await market.register()
  const { contents, plans } = await pull(owner, slug)
  const open = { contents, plans: { ...plans, state: 'ga' } }
  const refused = await owner('POST', manifestsOf(slug), { body: open })
  expect(refused).toMatchObject({ status: 403, body: { id: 'forbidden' } })
  expect(refused.text).toContain(`npx plexus services:state ${slug} ga`)

  await market.setState(slug, 'ga')
  expect((await stranger('GET', `/addon-services/${slug}`)).body).toMatchObject({ state: 'ga' })
  const now = await pull(owner, slug)
  const priced = {
    ...now.plans,
    plans: [{ slug: 'test', name: 'Test', price_cents: 700, default: true }],
  }
  const pushed = await owner('POST', manifestsOf(slug), {
    body: { contents: now.contents, plans: priced },
  })
  expect(pushed.status).toBe(201)
  expect((await stranger('GET', `/addon-services/${slug}/plans`)).body).toMatchObject([
    { name: `${slug}:test`, price: { cents: 700 } },
  ])

  const app = await market.newApp()
  expect((await market.order(app, slug)).body.state).toBe('provisioned')
  const last = await pull(owner, slug)
  const shut = { contents: last.contents, plans: { ...last.plans, state: 'shutdown' } }
  expect((await owner('POST', manifestsOf(slug), { body: shut })).status).toBe(201)
  const late = await market.order(await market.newApp(), slug)
  expect(late.body.message).toContain('is shut down and takes no new add-ons')
})

test('what nests too deeply, or is no text, is refused with a sentence', async () => {
  const { slug, owner } = await market.register()
  const { contents, plans } = await pull(owner, slug)
  const depth = 6_000
  const deep = `{"contents":{"x":${'['.repeat(depth)}${']'.repeat(depth)}}}`
  const refused = await owner('POST', manifestsOf(slug), { body: deep })
  expect([refused.status, refused.text]).toEqual([422, expect.stringContaining('too deeply')])
  const schema = { type: 'object', properties: { HALF: { type: 'string' } } }
  const plan = { slug: 'test', name: 'Test', price_cents: 0, default: true }
  for (const pushed of [
    { contents: { ...contents, name: 'HALF' }, plans },
    { contents, plans: { ...plans, plans: [{ ...plan, options_schema: schema }] } },
  ]) {
    const half = JSON.stringify(pushed).replace('HALF', '\\ud800')
    const wrong = await owner('POST', manifestsOf(slug), { body: half })
    expect([wrong.status, wrong.text]).toEqual([400, expect.stringContaining('surrogate')])
  }
})
