import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from 'vitest'
import { createAccount } from '../support/accounts.ts'
import { eventually } from '../support/eventually.ts'
import { apiClient, type HttpAnswer } from '../support/http.ts'
import { openMarketplace, type Marketplace } from '../support/marketplace.ts'
import { startService, type ServiceProcess } from '../support/services.ts'
import {
  isSigned,
  startWebhookReceiver,
  toldOf,
  type WebhookReceiver,
} from '../support/webhook-receiver.ts'

const engines = inject('engines')
const everything = ['app', 'release', 'addon', 'addon-attachment', 'collaborator']
let market: Marketplace
let api: Marketplace['customer']['api']
let service: ServiceProcess
let receiver: WebhookReceiver

/** Short, so that a receiver which never answers is given up within a test. */
const startWebhooks = () =>
  startService('webhooks', engines, {
    PLEXUS_WEBHOOKS_ANSWER_SECONDS: '1',
    PLEXUS_WEBHOOKS_RETRY_SECONDS: '1',
  })

beforeAll(async () => {
  market = await openMarketplace(engines)
  api = market.customer.api
  service = await startWebhooks()
})

beforeEach(async () => {
  receiver = await startWebhookReceiver()
})

afterEach(() => receiver.close())

afterAll(async () => {
  await service.stop()
  await market.stop()
})

const webhook = (more: object = {}) => ({
  body: {
    include: everything.map((resource) => `api:${resource}`),
    level: 'sync',
    url: receiver.url,
    ...more,
  },
})

async function add(path: string, more: object = {}, client = api) {
  const answer = await client('POST', `${path}/webhooks`, webhook(more))
  expect([answer.status, answer.text]).toEqual([201, expect.any(String)])
  const { id } = answer.body as { id: string }
  return { id, secret: String(answer.headers['heroku-webhook-secret']) }
}

const setVar = (app: string, value: string) =>
  api('PATCH', `/apps/${app}/config-vars`, { body: { A: value } })

async function newClient() {
  const { token, email } = await createAccount(engines)
  return Object.assign(apiClient(market.base, token), { email })
}

/** An add-on of a provider with a token of its own. */
async function orderAddon(app: string) {
  const provider = await market.register({ mode: 'async', requires: ['attachable'] })
  const { body } = await market.order(app, `${provider.slug}:test`)
  await eventually(async () =>
    expect((await market.addon(body.name)).body.state).toBe('provisioned'),
  )
  const { accessToken = '' } = provider.living(body.id)[0]?.tokens ?? {}
  return { ...body, asProvider: apiClient(market.base, accessToken) }
}

test('what happens to an app is told in the words of the API, signed, and without its secrets', async () => {
  const [app, other] = [await market.newApp(), await market.newApp()]
  const { secret } = await add(`/apps/${app}`, { authorization: 'Bearer me' })
  await setVar(app, 'a value that is a secret')
  const friend = await newClient()
  await api('POST', `/apps/${app}/collaborators`, { body: { user: friend.email } })
  await api('DELETE', `/apps/${app}/collaborators/${friend.email}`)
  const addon = await orderAddon(app)
  const shown = await eventually(async () => {
    expect(toldOf(receiver, 'addon')).toHaveLength(2)
    return market.addon(addon.name)
  })
  await api('POST', '/addon-attachments', { body: { addon: addon.name, app: other } })
  await api('PATCH', `/apps/${app}/addons/${addon.name}`, { body: { name: `${addon.name}-new` } })
  await api('DELETE', `/apps/${app}/addons/${addon.id}`, { body: { force: true } })
  await api('PATCH', `/apps/${app}`, { body: { maintenance: true } })
  const releases = await api('GET', `/apps/${app}/releases`)
  await eventually(() => expect(toldOf(receiver, 'addon').at(-1)?.action).toBe('destroy'))
  await api('DELETE', `/apps/${app}`)
  await eventually(() => expect(toldOf(receiver, 'app').at(-1)?.action).toBe('destroy'))

  const { email } = market.customer.account
  for (const post of receiver.posts) {
    expect(isSigned(post, secret)).toBe(true)
    expect(post.headers.authorization).toBe('Bearer me')
    for (const word of ['a value that is', 'log_input_url":"', secret])
      expect(post.text).not.toContain(word)
  }
  expect(receiver.posts.map(({ told }) => told.sequence)).toEqual(
    receiver.posts.map((_, index) => index + 1),
  )
  expect(
    toldOf(receiver, 'release').map(({ data, actor }) => [data['description'], actor.email]),
  ).toEqual([
    ['Set A config vars', email],
    [expect.stringContaining('Attach'), email],
    [expect.stringContaining('completed provisioning'), email],
    [expect.stringContaining('Detach'), email],
  ])
  const newest = (releases.body as object[]).at(-1)
  expect(toldOf(receiver, 'release').at(-1)?.data).toEqual(newest)
  expect(toldOf(receiver, 'collaborator')).toMatchObject([
    { action: 'create', data: { user: { email: friend.email } } },
    { action: 'destroy', data: { user: { email: friend.email } } },
  ])
  const addons = toldOf(receiver, 'addon')
  expect(addons).toMatchObject([
    { action: 'create', data: { state: 'provisioning' }, previous_data: {} },
    { action: 'update', previous_data: { state: 'provisioning' } },
    { action: 'update', previous_data: { name: addon.name } },
    { action: 'update', data: { state: 'deprovisioning' } },
    { action: 'destroy', data: { state: 'deprovisioned', name: `${addon.name}-new` } },
  ])
  expect(addons[1]?.data).toEqual(shown.body)
  expect(toldOf(receiver, 'addon-attachment')).toMatchObject([
    { action: 'create', data: { app: { name: app }, addon: { name: addon.name } } },
    { action: 'destroy', data: { app: { name: app } } },
  ])
  expect(toldOf(receiver, 'app')).toMatchObject([
    {
      ...{ action: 'update', data: { name: app, maintenance: true } },
      previous_data: { maintenance: false },
    },
    { action: 'destroy', data: { name: app, owner: { email } } },
  ])
})

test('after a kill -9 another process sends what was under way again, and then the rest', async () => {
  const app = await market.newApp()
  await add(`/apps/${app}`)
  receiver.answers = ['hang']
  await setVar(app, '1')
  await eventually(() => expect(receiver.posts).toHaveLength(1))
  await setVar(app, '2')
  await eventually(async () =>
    expect((await api('GET', `/apps/${app}/webhook-events`)).body).toHaveLength(2),
  )
  await service.kill()
  service = await startWebhooks()
  await eventually(() => expect(receiver.posts).toHaveLength(3))
  const [first, again, next] = receiver.posts.map(({ told }) => told)
  expect(again?.webhook_metadata.delivery).toEqual(first?.webhook_metadata.delivery)
  expect([again, next].map((told) => told?.data['version'])).toEqual([3, 4])
  await eventually(async () => {
    const { body } = await api('GET', `/apps/${app}/webhook-deliveries`)
    expect(body).toMatchObject([
      { status: 'succeeded', num_attempts: 2, last_attempt: { code: 204, error_class: null } },
      { status: 'succeeded', num_attempts: 1, event: { include: 'api:release' } },
    ])
  })
})

test('history comes in pages of either order, and by status', async () => {
  const app = await market.newApp()
  await add(`/apps/${app}`, { level: 'notify', include: ['api:release'] })
  receiver.answers = [500]
  for (const value of ['1', '2', '3']) await setVar(app, value)
  const list = (kind: string, range: string, query = '') =>
    api('GET', `/apps/${app}/webhook-${kind}${query}`, { headers: { Range: range } })
  await eventually(async () =>
    expect((await list('deliveries', '', '?eq[status]=succeeded')).body).toHaveLength(2),
  )
  const failed = await list('deliveries', 'seq ..; order=desc,max=1000', '?eq[status]=failed')
  expect(failed.body).toMatchObject([{ last_attempt: { code: 500, status: 'failed' } }])
  const ids = ({ body }: HttpAnswer) => (body as { id: string }[]).map(({ id }) => id)
  for (const kind of ['deliveries', 'events']) {
    const all = ids(await list(kind, ''))
    const newest = await list(kind, 'seq ..; order=desc,max=2')
    expect([newest.status, ids(newest)]).toEqual([206, all.slice(1).toReversed()])
    const rest = await list(kind, String(newest.headers['next-range']))
    expect([rest.status, ids(rest)]).toEqual([200, all.slice(0, 1)])
  }
  expect((await list('deliveries', '', '?eq[status]=lost')).text).toContain('retrying')
})

test('nobody else sees or changes the webhooks of an app or an add-on', async () => {
  const [app, shared] = [await market.newApp(), await market.newApp()]
  const addon = await orderAddon(app)
  await api('POST', '/addon-attachments', { body: { addon: addon.name, app: shared } })
  const [guest, stranger] = [await newClient(), await newClient()]
  await api('POST', `/apps/${shared}/collaborators`, { body: { user: guest.email } })
  const ids = {
    app: (await add(`/apps/${app}`)).id,
    addon: (await add(`/addons/${addon.name}`)).id,
    partner: (await add(`/addons/${addon.id}`, {}, addon.asProvider)).id,
  }
  await setVar(app, '1')
  await eventually(() => expect(receiver.posts).toHaveLength(3))
  const deliveries = await api('GET', `/apps/${app}/webhook-deliveries`)
  const [{ id: delivery, event } = { id: '', event: { id: '' } }] = deliveries.body as {
    id: string
    event: { id: string }
  }[]
  const below = (base: string, id: string): [string, string, unknown?][] => [
    ['GET', `${base}/webhooks`],
    ['POST', `${base}/webhooks`, webhook().body],
    ['GET', `${base}/webhooks/${id}`],
    ['PATCH', `${base}/webhooks/${id}`, { level: 'notify' }],
    ['DELETE', `${base}/webhooks/${id}`],
    ['GET', `${base}/webhook-deliveries`],
    ['GET', `${base}/webhook-deliveries/${delivery}`],
    ['GET', `${base}/webhook-events`],
    ['GET', `${base}/webhook-events/${event.id}`],
  ]
  const statuses = async (client: typeof api, asked: [string, string, unknown?][]) => {
    const answers = asked.map(([method, path, body]) => client(method, path, { body }))
    return (await Promise.all(answers)).map(({ status }) => status)
  }
  const onApp = below(`/apps/${app}`, ids.app)
  const onAddon = below(`/addons/${addon.id}`, ids.addon)
  expect(new Set(await statuses(stranger, [...onApp, ...onAddon]))).toEqual(new Set([404]))
  expect(new Set(await statuses(guest, onApp))).toEqual(new Set([404]))
  // Seeing an add-on through another app is not enough.
  expect(new Set(await statuses(guest, onAddon))).toEqual(new Set([403]))
  const nobody = apiClient(market.base, 'HRKU-none')
  expect(new Set(await statuses(nobody, [...onApp, ...onAddon]))).toEqual(new Set([401]))

  // The customer's and the provider's webhooks on one add-on are apart from each other.
  const own = async (client: typeof api) =>
    ((await client('GET', `/addons/${addon.id}/webhooks`)).body as { id: string }[]).map(
      ({ id }) => id,
    )
  expect(await own(api)).toEqual([ids.addon])
  expect(await own(addon.asProvider)).toEqual([ids.partner])
  for (const [client, id] of [
    [api, ids.partner],
    [addon.asProvider, ids.addon],
  ] as const)
    for (const method of ['GET', 'DELETE'])
      expect((await client(method, `/addons/${addon.id}/webhooks/${id}`)).status).toBe(404)
  const another = await orderAddon(shared)
  const theirs = below(`/addons/${addon.id}`, ids.partner)
  expect(new Set(await statuses(another.asProvider, theirs))).toEqual(new Set([404]))
  expect(new Set(await statuses(addon.asProvider, onApp))).toEqual(new Set([403]))
})

test('an add-on tells its provider of itself and of its billing app, and of no other add-on', async () => {
  const app = await market.newApp()
  const addon = await orderAddon(app)
  await add(`/addons/${addon.id}`, {}, addon.asProvider)
  const other = await orderAddon(app)
  await api('DELETE', `/apps/${app}/addons/${other.name}`)
  await api('DELETE', `/apps/${app}/addons/${addon.name}`)
  await eventually(() => expect(toldOf(receiver, 'addon').at(-1)?.action).toBe('destroy'))
  expect(toldOf(receiver, 'addon').map(({ data }) => data['name'])).toEqual([
    addon.name,
    addon.name,
  ])
  expect(toldOf(receiver, 'release').length).toBeGreaterThan(2)
  expect((await addon.asProvider('GET', `/addons/${addon.id}/webhooks`)).status).toBe(401)
})

test.each([
  [{ include: ['api:release', 'api:secrets'] }, '"api:secrets", and may have: api:addon, '],
  [{ include: [] }, 'Include has nothing'],
  [{ level: 'loud' }, '"notify" (each change is told once)'],
  [{ url: 'ftp://example.com' }, 'Use https:// or http://'],
  [{ url: `https://example.com/${'a'.repeat(3_000)}` }, 'too long'],
  [{ secret: 'a\nb' }, 'printable characters'],
  [{ secret: 's'.repeat(300) }, '1 to 256'],
  [{ authorization: 'a\r\nHost: b' }, 'sent as a header'],
  [{ include: 'api:release' }, 'include'],
  [{ more: 1 }, 'more'],
])('%j is refused with what to do', async (more, say) => {
  const app = await market.newApp()
  const answer = await api('POST', `/apps/${app}/webhooks`, webhook(more))
  expect([answer.status, answer.text]).toEqual([422, expect.any(String)])
  expect((answer.body as { message: string }).message).toContain(say)
})

test('a change that would leave a webhook nothing to tell is refused as its creation is', async () => {
  const path = await market.newApp().then((app) => `/apps/${app}`)
  const { id } = await add(path)
  const change = await api('PATCH', `${path}/webhooks/${id}`, { body: { include: [] } })
  expect(change).toMatchObject({ status: 422, body: { id: 'invalid_params' } })
  expect((change.body as { message: string }).message).toContain('include')
})
