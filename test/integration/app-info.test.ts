import pg from 'pg'
import { ProxyAgent, request } from 'undici'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { databaseUrl } from '../../local-platform/service-env.ts'
import { startTestShim } from '../support/egress.ts'
import { eventually } from '../support/eventually.ts'
import { http, type HttpAnswer } from '../support/http.ts'
import { openMarketplace, type Marketplace } from '../support/marketplace.ts'
import type { PartnerProvider } from '../support/partner-provider.ts'

// What providers of version 1 call with the id and the password of their manifest.

const engines = inject('engines')
let market: Marketplace

beforeAll(async () => {
  market = await openMarketplace(engines)
})
afterAll(() => market.stop())

const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
})
const passwordOf = ({ settings }: PartnerProvider) => basic(settings.slug, settings.password)

const ask = (provider: PartnerProvider, path: string): Promise<HttpAnswer> =>
  http('GET', `${market.base}${path}`, { headers: passwordOf(provider) })

const put = (provider: PartnerProvider, url: string, config: object): Promise<HttpAnswer> =>
  http('PUT', url, { headers: passwordOf(provider), body: { config } })

/** A provider of version 1 with an add-on on an app. */
async function installed(options: Parameters<Marketplace['register']>[0] = {}) {
  const provider = await market.register({
    ...{ apiVersion: '1', quirks: ['integer-ids'], requires: ['many_per_app', 'attachable'] },
    ...options,
  })
  const app = await market.newApp()
  const { body: addon } = await market.order(app, `${provider.slug}:basic`)
  const { fields = {} } = provider.requests.at(-1) ?? {}
  const told = { herokuId: String(fields['heroku_id']), url: String(fields['callback_url']) }
  return { provider, app, addon, ...told, path: told.url.slice(market.base.length) }
}

describe('what a provider of version 1 is told', () => {
  test('is the heroku_id and the callback_url by which it finds its add-on', async () => {
    const { provider, app, addon, herokuId, url, path } = await installed()
    expect(path).toBe(`/vendor/apps/${encodeURIComponent(herokuId)}`)
    const list = await ask(provider, '/vendor/apps')
    expect([list.status, list.headers.link]).toEqual([200, undefined])
    expect(list.body).toEqual([
      {
        callback_url: url,
        heroku_id: herokuId,
        plan: 'basic',
        provider_id: '1',
        resource: { uuid: addon.id, name: addon.name },
      },
    ])
    const info = {
      id: herokuId,
      name: app,
      config: provider.resources[0]?.config,
      callback_url: url,
      owner_email: market.customer.account.email,
      region: 'amazon-web-services::us-east-1',
      domains: [],
    }
    for (const each of [path, `/vendor/apps/${herokuId}`, `/vendor/apps/${addon.id}`])
      expect(await ask(provider, each)).toMatchObject({ status: 200, body: info })
    expect(Object.keys(Object((await ask(provider, path)).body))).toEqual(Object.keys(info))
    expect((await ask(provider, path)).headers['ratelimit-remaining']).toMatch(/^\d+$/)
  })

  test('is the same thing when its plan changes', async () => {
    const { provider, app, addon, herokuId } = await installed()
    const change = { body: { plan: 'premium' } }
    await market.customer.api('PATCH', `/apps/${app}/addons/${addon.name}`, change)
    expect(provider.requests.at(-1)?.fields).toMatchObject({ heroku_id: herokuId })
    expect((await ask(provider, '/vendor/apps')).body).toMatchObject([{ plan: 'premium' }])
  })

  test('leads there through the proxy for providers that have api.heroku.com in their code', async () => {
    const { provider, path, herokuId } = await installed()
    const shim = await startTestShim({ origin: new URL(market.base) })
    const requestTls = { ca: shim.ca.certificate }
    const dispatcher = new ProxyAgent({ uri: shim.proxyUrl, requestTls })
    const headers = passwordOf(provider)
    const answer = await request(`https://api.heroku.com${path}`, { dispatcher, headers })
    expect([answer.statusCode, await answer.body.json()]).toMatchObject([200, { id: herokuId }])
    await dispatcher.close()
    await shim.stop()
  })
})

describe('its variables', () => {
  test('come with one release on every app that the add-on is attached to', async () => {
    const { provider, app, addon, url } = await installed()
    const other = await market.newApp()
    const attachment = { addon: addon.name, app: other, name: 'STORE' }
    await market.customer.api('POST', '/addon-attachments', { body: attachment })
    const { prefix } = provider.settings
    const [before, beforeOther] = [await market.releases(app), await market.releases(other)]

    const changed = await put(provider, url, {
      [`${prefix}_URL`]: 'https://new.example/',
      [`${prefix}_TOKEN`]: 7,
    })
    const config = { [`${prefix}_URL`]: 'https://new.example/', [`${prefix}_TOKEN`]: '7' }
    expect([changed.status, changed.body]).toMatchObject([200, { config }])
    expect(await market.config(app)).toEqual(config)
    expect(await market.config(other)).toEqual({
      ...{ STORE_URL: 'https://new.example/', STORE_TOKEN: '7' },
    })
    const newOf = async (name: string, known: string[]) =>
      (await market.releases(name)).slice(0, -known.length)
    expect(await newOf(app, before)).toEqual([
      `Update ${prefix}_TOKEN, ${prefix}_URL by ${provider.slug}`,
    ])
    expect(await newOf(other, beforeOther)).toEqual([
      `Update STORE_TOKEN, STORE_URL by ${provider.slug}`,
    ])
    // What is not named stays; null takes away.
    expect((await put(provider, url, { [`${prefix}_TOKEN`]: null })).status).toBe(200)
    expect(await market.config(app)).toEqual({ [`${prefix}_URL`]: 'https://new.example/' })
  })

  test('are those that its manifest declares, as for every provider', async () => {
    const { provider, app, url } = await installed()
    const before = await market.config(app)
    const refused = await put(provider, url, { SOMETHING_ELSE: 'x' })
    expect([refused.status, refused.text]).toEqual([
      422,
      expect.stringContaining('does not declare SOMETHING_ELSE'),
    ])
    const { prefix } = provider.settings
    for (const config of [{ [`${prefix}_URL`]: {} }, 'text', undefined, null])
      expect((await put(provider, url, config as never)).status).toBe(422)
    const nul = await put(provider, url, { [`${prefix}_URL`]: 'a\0' })
    expect([nul.status, await market.config(app)]).toEqual([400, before])
  })
})

describe('a provider sees its own add-ons only', () => {
  test("and nothing of another's", async () => {
    const { addon, herokuId, path, url } = await installed()
    const stranger = await market.register({ apiVersion: '1' })
    expect(await ask(stranger, '/vendor/apps')).toMatchObject({ status: 200, body: [] })
    for (const each of [path, `/vendor/apps/${addon.id}`])
      expect((await ask(stranger, each)).status).toBe(404)
    const { prefix } = stranger.settings
    expect((await put(stranger, url, { [`${prefix}_URL`]: 'https://x.example' })).status).toBe(404)
    expect(herokuId).toMatch(/^app\d+@heroku\.com$/)
  })

  test('by the id and the password of its manifest', async () => {
    const { provider, path, addon } = await installed()
    const { slug, password } = provider.settings
    const wrong = [
      basic(slug, 'wrong'),
      basic(slug, ''),
      basic(slug, `${password}x`),
      basic('nobody', password),
      // Our own providers have no password.
      basic('heroku-redis', ''),
      basic('', ''),
      { authorization: `Bearer ${market.customer.account.token}` },
      {},
    ]
    for (const headers of wrong)
      for (const [method, each] of [
        ['GET', '/vendor/apps'],
        ['GET', path],
        ['PUT', path],
      ] as const) {
        const refused = await http(method, `${market.base}${each}`, { headers, body: {} })
        expect([refused.status, refused.body]).toMatchObject([401, { id: 'unauthorized' }])
        expect(refused.headers['www-authenticate']).toMatch(/^Basic /)
      }
    for (const unknown of ['app1@heroku.com', 'x', addon.name, '%00', addon.id.slice(0, 35)])
      expect((await ask(provider, `/vendor/apps/${unknown}`)).status).toBeOneOf([400, 404])
    // Once the manifest has another password, this one is none.
    const pushed = { contents: { ...provider.manifest, $base: await baseOf(provider) } }
    Object.assign(Reflect.get(pushed.contents, 'api') as object, { password: 'the next password' })
    const path2 = `/api/v3/addons/${slug}/manifests`
    expect((await provider.owner('POST', path2, { body: pushed })).status).toBe(201)
    expect((await ask(provider, path)).status).toBe(401)
    provider.settings.password = 'the next password'
    expect((await ask(provider, path)).status).toBe(200)
  })

  test('a page at a time', async () => {
    const { provider, addon } = await installed()
    await insertAddonsLike(addon.id, 500)
    const first = await ask(provider, '/vendor/apps')
    const [, next = ''] = /^<(.+)>; rel="next"$/.exec(String(first.headers.link)) ?? []
    expect(next).toMatch(`${market.base}/vendor/apps?`)
    const last = await ask(provider, next.slice(market.base.length))
    expect(last.headers.link).toBeUndefined()
    const all = [first, last].map(({ body }) => body as { resource: { uuid: string } }[])
    expect(all.map(({ length }) => length)).toEqual([500, 1])
    expect(new Set(all.flat().map(({ resource }) => resource.uuid)).size).toBe(501)
    expect((await ask(provider, '/vendor/apps?after=x')).status).toBe(400)
  })
})

const baseOf = async ({ owner, slug }: Awaited<ReturnType<Marketplace['register']>>) => {
  const { body } = await owner('GET', `/api/v3/addons/${slug}/current_manifest`)
  return (body as { contents: { $base: number } }).contents.$base
}

/** Rows of add-ons of the same plan: more than a test can order. */
async function insertAddonsLike(id: string, count: number): Promise<void> {
  const { layout, credentials } = engines
  const client = new pg.Client(databaseUrl(layout, credentials, 'broker'))
  await client.connect()
  await client.query('set search_path to broker')
  await client.query(
    `insert into addons (id, name, state, plan_id, app_id, sealed_options, confirm, actor_id,
       actor_email, maybe_made)
     select gen_random_uuid(), name || '-' || n, state, plan_id, app_id, '', '', '', '', false
     from addons, generate_series(1, $2) n where id = $1`,
    [id, count],
  )
  await client.end()
}

describe('before it is provisioned', () => {
  test('an add-on is not found, while its provider is still asked for it', async () => {
    const provider = await market.register({ apiVersion: '1' })
    provider.faults.provision = ['hold']
    const app = await market.newApp()
    const ordered = market.order(app, provider.slug)
    await eventually(() => expect(provider.requests).toHaveLength(1))
    const url = String(provider.requests[0]?.fields['callback_url'])
    const path = url.slice(market.base.length)
    const { prefix } = provider.settings
    expect((await ask(provider, path)).status).toBe(404)
    expect((await put(provider, url, { [`${prefix}_URL`]: 'early' })).status).toBe(404)
    expect((await ask(provider, '/vendor/apps')).body).toEqual([])
    provider.release()
    expect((await ordered).body.state).toBe('provisioned')
    expect(await ask(provider, path)).toMatchObject({
      ...{ status: 200, body: { config: provider.resources[0]?.config } },
    })
    await market.customer.api('DELETE', `/apps/${app}/addons/${(await ordered).body.name}`)
    expect((await ask(provider, path)).status).toBe(404)
  })

  test('what was answered with 202 is ready with its variables', async () => {
    const { provider, app, addon, path } = await installed({
      ...{ mode: 'async', completes: 'when-told' },
    })
    expect(addon.state).toBe('provisioning')
    expect((await ask(provider, path)).status).toBe(404)
    await provider.complete(addon.id)
    expect(provider.callbacks).toMatchObject([{ method: 'PUT', status: 200 }])
    expect((await market.addon(addon.name)).body.state).toBe('provisioned')
    expect(await market.config(app)).toEqual(provider.resources[0]?.config)
    const { prefix } = provider.settings
    expect((await market.releases(app)).slice(0, 2)).toEqual([
      `@ref:${addon.name} completed provisioning, setting ${prefix}_TOKEN, ${prefix}_URL.`,
      `Attach ${prefix} (@ref:${addon.name})`,
    ])
    expect((await ask(provider, path)).status).toBe(200)
  })

  test('to a provider of version 3 its own call-backs say that it is ready', async () => {
    const { provider, addon, herokuId, url } = await installed({
      ...{ apiVersion: '3', mode: 'async', completes: 'when-told' },
    })
    expect(url).toBe(`${market.base}/addons/${addon.id}`)
    const appInfo = `${market.base}/vendor/apps/${herokuId}`
    const { prefix } = provider.settings
    expect((await put(provider, appInfo, { [`${prefix}_URL`]: 'early' })).status).toBe(404)
    await provider.complete(addon.id)
    expect((await put(provider, appInfo, { [`${prefix}_URL`]: 'https://x/' })).status).toBe(200)
  })
})

test('wrong passwords are not asked about without bound, and keep the right one not out', async () => {
  const { provider } = await installed()
  expect((await ask(provider, '/vendor/apps')).status).toBe(200)
  const statuses = new Set<number>()
  for (let tries = 0; tries < 400 && !statuses.has(429); tries++) {
    const headers = basic(provider.slug, `wrong ${tries}`)
    statuses.add((await http('GET', `${market.base}/vendor/apps`, { headers })).status)
  }
  expect([...statuses]).toEqual([401, 429])
  expect((await ask(provider, '/vendor/apps')).status).toBe(200)
})
