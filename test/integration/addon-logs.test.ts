import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { must } from '#lib/assert.ts'
import { newId } from '#lib/ids.ts'
import { createAccount } from '../support/accounts.ts'
import { eventually } from '../support/eventually.ts'
import { apiClient, http } from '../support/http.ts'
import { startHttpReceiver, type HttpReceiver } from '../support/log-receivers.ts'
import { openMarketplace, type Marketplace } from '../support/marketplace.ts'
import type { PartnerProvider } from '../support/partner-provider.ts'
import { startService, type ServiceProcess } from '../support/services.ts'

// What a provider that requires "log_input" and "syslog_drain" has of an app's log.

const engines = inject('engines')
let market: Marketplace
let logplex: ServiceProcess
let receiver: HttpReceiver

beforeAll(async () => {
  logplex = await startService('logplex', engines)
  market = await openMarketplace(engines)
  receiver = await startHttpReceiver()
})

afterAll(async () => {
  await market.stop()
  await logplex.stop()
  await receiver.close()
})

type Drain = { id: string; addon: object | null; token: string; url: string }
type Attachment = { id: string; name: string; log_input_url: string | null }

const ask = async <Body>(method: string, path: string, body?: object): Promise<Body> =>
  (await market.customer.api(method, path, body && { body })).body as Body

const drainsOf = (app: string) => ask<Drain[]>('GET', `/apps/${app}/log-drains`)
const attachmentsOf = (app: string) => ask<Attachment[]>('GET', `/apps/${app}/addon-attachments`)

/** Sends one line as log shippers do; answers the status. */
async function post(logInputUrl: string, message: string): Promise<number> {
  const { origin, password, username } = new URL(logInputUrl)
  const line = `<190>1 ${new Date().toISOString()} host ${password} monitor - - ${message}`
  const answer = await http('POST', `${origin}/logs`, {
    headers: {
      authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
      'content-type': 'application/logplex-1',
    },
    body: `${Buffer.byteLength(line)} ${line}`,
  })
  return answer.status
}

async function logOf(app: string): Promise<string> {
  const session = await ask<{ logplex_url: string }>('POST', `/apps/${app}/log-sessions`, {})
  return (await fetch(session.logplex_url)).text()
}

const provisioned = (name: string) =>
  eventually(async () => expect((await market.addon(name)).body.state).toBe('provisioned'))

/** Of what the provider was told when it was asked for the resource. */
const told = (provider: { requests: { fields: Record<string, unknown> }[] }, field: string) =>
  String(provider.requests[0]?.fields[field])

test('a provider with log_input writes into the log under the name of its service', async () => {
  const provider = await market.register({ requires: ['log_input'], mode: 'async' })
  const app = await market.newApp()
  const { body: addon } = await market.order(app, provider.slug)
  await provisioned(addon.name)
  const url = told(provider, 'log_input_url')
  expect(provider.requests[0]?.fields).not.toHaveProperty('log_drain_token')
  expect((await attachmentsOf(app)).map((each) => each.log_input_url)).toEqual([url])
  const { accessToken = '' } = provider.living(addon.id)[0]?.tokens ?? {}
  const path = `/addons/${addon.id}/addon-attachments`
  expect((await apiClient(market.base, accessToken)('GET', path)).body).toMatchObject([
    { log_input_url: url },
  ])
  const { settings } = provider
  const basic = Buffer.from(`${settings.slug}:${settings.password}`).toString('base64')
  const info = await http('GET', `${market.base}/vendor/apps/${addon.id}`, {
    headers: { authorization: `Basic ${basic}` },
  })
  expect(info).toMatchObject({ status: 200, body: { log_input_url: url } })
  expect(await post(url, 'from the provider')).toBe(204)
  await eventually(async () =>
    expect(await logOf(app)).toContain(`${provider.slug}[monitor]: from the provider`),
  )
  // The app's own token of that name is another one.
  const own = await ask<{ token: string }>('POST', `/apps/${app}/log-tokens`, {
    name: provider.slug,
  })
  expect(url).not.toContain(own.token)
  expect(await ask('GET', `/apps/${app}/log-tokens`)).toHaveLength(1)

  await ask('DELETE', `/apps/${app}/addons/${addon.name}`)
  expect(await post(url, 'too late')).toBe(401)
})

test('a service that requires nothing of logs is told nothing of them', async () => {
  const provider = await market.register({ requires: ['many_per_app'] })
  const app = await market.newApp()
  await market.order(app, provider.slug)
  const { fields = {} } = provider.requests[0] ?? {}
  expect(Object.keys(fields).filter((name) => name.startsWith('log_'))).toEqual([])
  expect((await attachmentsOf(app)).map((each) => each.log_input_url)).toEqual([null])
  expect(await drainsOf(app)).toEqual([])
})

test("a provider with syslog_drain has the app's lines until its add-on is destroyed", async () => {
  const provider = await market.register({
    requires: ['log_input', 'syslog_drain', 'many_per_app'],
    drainUrl: receiver.url,
  })
  const app = await market.newApp()
  const { body: addon } = await market.order(app, provider.slug)
  const token = told(provider, 'log_drain_token')
  expect(token).toMatch(/^d\.[0-9a-f-]{36}$/)
  const [drain] = await drainsOf(app)
  const own = { id: addon.id, name: addon.name }
  expect(drain).toMatchObject({ addon: own, token, url: receiver.url })
  expect(await ask('GET', `/apps/${app}/log-drains/${token}`)).toMatchObject({ addon: own })
  await post(told(provider, 'log_input_url'), 'for the drain')
  await eventually(() => {
    const posts = receiver.posts.filter(({ headers }) => headers['logplex-drain-token'] === token)
    expect(posts.flatMap(({ frames }) => frames).join('\n')).toContain('for the drain')
  })

  // Another add-on may have the same url, and a person too.
  const { body: second } = await market.order(app, provider.slug)
  expect(second.state).toBe('provisioned')
  const personal = await ask<Drain>('POST', `/apps/${app}/log-drains`, { url: receiver.url })
  expect(personal.addon).toBeNull()
  const byUrl = `/apps/${app}/log-drains/${encodeURIComponent(receiver.url)}`
  expect(await ask('DELETE', byUrl)).toMatchObject({ id: personal.id })
  for (const name of [token, drain?.id, encodeURIComponent(receiver.url)]) {
    const refused = await market.customer.api('DELETE', `/apps/${app}/log-drains/${name}`)
    expect(refused.status).toBe(422)
    expect(refused.text).toContain('heroku addons:destroy')
  }

  await ask('DELETE', `/apps/${app}/addons/${addon.name}`)
  expect((await drainsOf(app)).map((each) => each.addon)).toEqual([
    { id: second.id, name: second.name },
  ])
  await ask('DELETE', `/apps/${app}/addons/${second.name}`)
  expect(await drainsOf(app)).toEqual([])
})

test('each attachment has a token and a drain of its own, and loses them when detached', async () => {
  const requires = ['log_input', 'syslog_drain', 'many_per_app', 'attachable']
  const provider = await market.register({ requires, drainUrl: receiver.url })
  const app = await market.newApp()
  const { body: addon } = await market.order(app, provider.slug)
  const url = told(provider, 'log_input_url')
  const [first] = await attachmentsOf(app)
  const other = await market.newApp()
  const second = { addon: addon.name, app, name: 'SECOND' }
  await ask('POST', '/addon-attachments', second)
  const elsewhere = { addon: addon.name, app: other, name: 'ELSEWHERE' }
  const { log_input_url: otherUrl } = await ask<Attachment>('POST', '/addon-attachments', elsewhere)
  // Each attachment has a url of its own, for the log of its app; the provider finds it there.
  expect(new Set((await attachmentsOf(app)).map((each) => each.log_input_url)).size).toBe(2)
  expect(await post(otherUrl ?? '', 'from elsewhere')).toBe(204)
  await eventually(async () => expect(await logOf(other)).toContain('from elsewhere'))
  const promised = told(provider, 'log_drain_token')
  const drains = await drainsOf(app)
  expect(drains.map((each) => each.token)).toContain(promised)
  expect(new Set(drains.map((each) => each.token)).size).toBe(2)
  const [theirs] = await drainsOf(other)
  expect(theirs).toMatchObject({ addon: { id: addon.id, name: addon.name }, url: receiver.url })
  await eventually(() => {
    const got = receiver.posts.filter(
      ({ headers }) => headers['logplex-drain-token'] === theirs?.token,
    )
    expect(got.flatMap(({ frames }) => frames).join('\n')).toContain('from elsewhere')
  })
  await ask('DELETE', `/addon-attachments/${first?.id}`)
  expect(await post(url, 'too late')).toBe(401)
  expect(await post(otherUrl ?? '', 'still there')).toBe(204)
  const [left, ...none] = await drainsOf(app)
  expect(none).toEqual([])
  expect(left?.token).not.toBe(promised)
  await ask('DELETE', `/apps/${app}/addons/${addon.name}`, { force: true })
  expect(await drainsOf(app)).toEqual([])
  expect(await drainsOf(other)).toEqual([])
  expect(await post(otherUrl ?? '', 'too late')).toBe(401)
})

describe('a provider points the drains of its add-on', () => {
  const requires = ['syslog_drain', 'many_per_app', 'attachable']
  const drain = (addon: string, named: string): string =>
    `/addons/${addon}/log-drains/${encodeURIComponent(named)}`

  test('at completion of what it had accepted, by the token that it was told', async () => {
    const provider = await market.register({ requires, mode: 'async', quirks: ['no-action'] })
    const app = await market.newApp()
    const { body: addon } = await market.order(app, provider.slug)
    const token = told(provider, 'log_drain_token')
    const asProvider = await tokenOf(provider, addon.id)
    expect((await asProvider('GET', `/addons/${addon.id}/log-drains`)).body).toEqual([])
    const url = `${receiver.url}/async`
    const set = await asProvider('PUT', drain(addon.id, token), { body: { url } })
    expect(set).toMatchObject({ status: 200, body: { token, url, app: { name: app } } })
    await asProvider('POST', `/addons/${addon.id}/actions/provision`)
    await provisioned(addon.name)
    expect(await drainsOf(app)).toMatchObject([{ token, url, addon: { id: addon.id } }])
  })

  test('each of its own; nobody else points them, and only the billing app is told of all', async () => {
    const provider = await market.register({ requires, mode: 'async' })
    const [app, shared] = [await market.newApp(), await market.newApp()]
    const { body: addon } = await market.order(app, provider.slug)
    const asProvider = await tokenOf(provider, addon.id)
    await provisioned(addon.name)
    const all = `/addons/${addon.id}/log-drains`
    const byToken = drain(addon.id, told(provider, 'log_drain_token'))
    await asProvider('PUT', byToken, { body: { url: receiver.url } })
    // Where it wants the first one's, it has those of the next.
    await ask('POST', '/addon-attachments', { addon: addon.name, app: shared })
    const listed = (await asProvider('GET', all)).body as (Drain & { app: { name: string } })[]
    expect(listed).toHaveLength(2)
    const [first, second] = [app, shared].map((name) =>
      listed.find((each) => each.app.name === name),
    )
    const same = await asProvider('PUT', drain(addon.id, receiver.url), {
      body: { url: 'https://x.example' },
    })
    expect(same.status).toBe(422)
    expect(same.text).toContain('2 drains to that url')
    const url = `${receiver.url}/second`
    for (const named of [second?.id ?? '', second?.token ?? '', url])
      expect(
        (await asProvider('PUT', drain(addon.id, named), { body: { url } })).body,
      ).toMatchObject({ id: second?.id, token: second?.token, url })
    expect(await drainsOf(shared)).toMatchObject([{ id: second?.id, url }])
    expect(await drainsOf(app)).toMatchObject([{ id: first?.id, url: receiver.url }])
    const bad = await asProvider('PUT', drain(addon.id, second?.id ?? ''), {
      body: { url: 'ftp://x' },
    })
    expect(bad.status).toBe(422)
    expect((await asProvider('PUT', drain(addon.id, newId()), { body: { url } })).status).toBe(404)
    const owner = await market.customer.api('PUT', drain(addon.id, second?.id ?? ''), {
      body: { url },
    })
    expect(owner.status).toBe(403)
    const other = await market.order(await market.newApp(), provider.slug)
    const asOther = await tokenOf(provider, other.body.id)
    expect((await asOther('GET', all)).status).toBe(404)
    expect(
      (await asOther('PUT', drain(addon.id, second?.id ?? ''), { body: { url } })).status,
    ).toBe(404)
    const theirs = drain(other.body.id, second?.id ?? '')
    expect((await asOther('PUT', theirs, { body: { url } })).status).toBe(404)

    const guest = await createAccount(engines)
    await ask('POST', `/apps/${shared}/collaborators`, { user: guest.email })
    const seen = await apiClient(market.base, guest.token)('GET', all)
    expect(seen.body).toMatchObject([{ id: second?.id }])
    expect(seen.body).toHaveLength(1)
    expect(await ask('GET', all)).toHaveLength(2)
  })
})

async function tokenOf(provider: PartnerProvider, addonId: string) {
  return eventually(() => {
    const { accessToken } = must(provider.living(addonId)[0]?.tokens, 'tokens')
    return apiClient(market.base, accessToken)
  })
}

test('whoever shares the add-on with another app does not see where that one is written to', async () => {
  const requires = ['log_input', 'many_per_app', 'attachable']
  const provider = await market.register({ requires })
  const [app, shared] = [await market.newApp(), await market.newApp()]
  const { body: addon } = await market.order(app, provider.slug)
  await ask('POST', '/addon-attachments', { addon: addon.name, app: shared })
  const guest = await createAccount(engines)
  await ask('POST', `/apps/${shared}/collaborators`, { user: guest.email })
  const path = `/addons/${addon.id}/addon-attachments`
  const seen = await apiClient(market.base, guest.token)('GET', path)
  expect(seen.body).toHaveLength(2)
  const urls = (seen.body as Attachment[]).map((each) => each.log_input_url)
  expect(urls.filter((url) => url === null)).toHaveLength(1)
  expect(urls).not.toContain(told(provider, 'log_input_url'))
  const own = await ask<Attachment[]>('GET', path)
  expect(own.map((each) => each.log_input_url)).toContain(told(provider, 'log_input_url'))
})

test('a drain url that cannot be one is refused in a sentence, and all is undone', async () => {
  const provider = await market.register({ requires: ['syslog_drain'], quirks: ['bad-drain-url'] })
  const app = await market.newApp()
  const refused = await market.order(app, provider.slug)
  expect(refused.status).toBe(422)
  expect(refused.body.message).toContain('Invalid drain destination: ftp: is no drain')
  await eventually(async () => expect(await ask('GET', `/apps/${app}/addons`)).toEqual([]))
  expect(provider.resources.filter(({ state }) => state !== 'gone')).toEqual([])
})

test("an app that has all the drains it may have gets no add-on's, and is told what to do", async () => {
  const provider = await market.register({ requires: ['syslog_drain'], drainUrl: receiver.url })
  const app = await market.newApp()
  for (const n of [1, 2, 3, 4, 5])
    await ask('POST', `/apps/${app}/log-drains?force=true`, { url: `syslog://127.0.0.1:${n}` })
  const refused = await market.order(app, provider.slug)
  expect(refused.status).toBe(422)
  expect(refused.body.message).toMatch(/maximum number of drains.* heroku drains:remove/)
  expect(await drainsOf(app)).toHaveLength(5)
})

test("a service with the platform's own name may not write in that name", async () => {
  const provider = await market.register({ slug: 'logplex', requires: ['log_input'] })
  const app = await market.newApp()
  const refused = await market.order(app, provider.slug)
  expect(refused.status).toBe(422)
  expect(refused.body.message).toContain('cannot come from "logplex"')
  expect(provider.requests).toEqual([])
})

test('a provider that wants no lines after all gets no drain', async () => {
  const provider = await market.register({ requires: ['syslog_drain'], quirks: ['no-drain-url'] })
  const app = await market.newApp()
  expect((await market.order(app, provider.slug)).body.state).toBe('provisioned')
  expect(await drainsOf(app)).toEqual([])
})
