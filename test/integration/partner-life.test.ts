import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { apiClient, http } from '../support/http.ts'
import { openMarketplace, type Marketplace } from '../support/marketplace.ts'

let market: Marketplace

beforeAll(async () => {
  market = await openMarketplace(inject('engines'))
})

afterAll(() => market.stop())

const destroy = (app: string, name: string) =>
  market.customer.api('DELETE', `/apps/${app}/addons/${name}`)

describe('a provider that answers at once', () => {
  test('is asked as Heroku asks, and its variables come with one release', async () => {
    const provider = await market.register({ requires: ['many_per_app'] })
    const app = await market.newApp()
    const config = { foo: 'bar', baz: true, left: null }
    const made = await market.order(app, `${provider.slug}:basic`, { config })
    expect(made.status).toBe(201)
    expect(made.body).toMatchObject({ state: 'provisioned', provider_id: made.body.id })

    const [request] = provider.requests
    expect(request?.headers).toMatchObject({
      accept: 'application/vnd.heroku-addons+json; version=3',
      'content-type': 'application/json',
    })
    expect(request?.fields).toEqual({
      callback_url: `${market.base}/addons/${made.body.id}`,
      name: made.body.name,
      oauth_grant: {
        code: expect.any(String),
        expires_at: expect.any(String),
        type: 'authorization_code',
      },
      options: { foo: 'bar', baz: 'true' },
      plan: 'basic',
      region: 'amazon-web-services::us-east-1',
      uuid: made.body.id,
      heroku_id: expect.stringMatching(/^app\d+@heroku\.com$/),
      logplex_token: null,
    })
    const prefix = provider.settings.prefix
    expect(await market.config(app)).toEqual(provider.resources[0]?.config)
    expect(made.body.config_vars).toEqual([`${prefix}_TOKEN`, `${prefix}_URL`])
    expect((await market.releases(app))[0]).toBe(`Attach ${prefix} (@ref:${made.body.name})`)

    expect((await destroy(app, made.body.name)).body).toMatchObject({ state: 'deprovisioned' })
    expect(provider.living(made.body.id)).toEqual([])
    expect(await market.config(app)).toEqual({})
  })

  test('is asked for another plan; the new variables come in one release on every app', async () => {
    const provider = await market.register({ requires: ['many_per_app', 'attachable'] })
    const [app, other] = [await market.newApp(), await market.newApp()]
    const { body } = await market.order(app, `${provider.slug}:basic`)
    const attach = { addon: body.name, app: other, name: 'STORE' }
    expect((await market.customer.api('POST', '/addon-attachments', { body: attach })).status).toBe(
      201,
    )
    const resource = provider.living(body.id)[0]
    const { prefix } = provider.settings
    if (resource)
      resource.config = { ...resource.config, [`${prefix}_URL`]: 'https://new.example/' }

    const path = `/apps/${app}/addons/${body.name}`
    const wanted = { plan: { name: `${provider.slug}:premium` } }
    const changed = await market.customer.api('PATCH', path, { body: wanted })
    expect(changed).toMatchObject({
      status: 200,
      body: {
        plan: { name: `${provider.slug}:premium` },
        provision_message: 'The plan is premium.',
      },
    })
    expect(resource?.plan).toBe('premium')
    expect((await market.config(app))[`${prefix}_URL`]).toBe('https://new.example/')
    expect((await market.config(other))['STORE_URL']).toBe('https://new.example/')
    expect((await market.releases(app))[0]).toBe(`Update ${prefix}_URL by ${provider.slug}`)
    expect((await market.releases(other))[0]).toBe(`Update STORE_URL by ${provider.slug}`)

    const releases = await market.releases(app)
    await market.customer.api('PATCH', path, { body: wanted })
    expect(await market.releases(app)).toEqual(releases)
    const refused = await market.customer.api('PATCH', path, { body: { plan: 'enormous' } })
    expect(refused.status).toBe(422)
    expect(refused.text).toContain("Couldn't find either the add-on")
  })

  test('may refuse a plan: the add-on stays as it was, and the reason is shown', async () => {
    const provider = await market.register()
    const app = await market.newApp()
    const { body } = await market.order(app, `${provider.slug}:basic`)
    provider.faults.changePlan = [{ status: 422, body: { message: 'You have 3 GB in it.' } }]
    const path = `/apps/${app}/addons/${body.name}`
    const refused = await market.customer.api('PATCH', path, { body: { plan: 'premium' } })
    expect(refused).toMatchObject({
      status: 422,
      body: { id: 'invalid_params', message: 'You have 3 GB in it.' },
    })
    expect((await market.addon(body.name)).body).toMatchObject({
      state: 'provisioned',
      plan: { name: `${provider.slug}:basic` },
    })
    const changed = await market.customer.api('PATCH', path, { body: { plan: 'premium' } })
    expect(changed.status).toBe(200)
  })
})

describe('a provider that calls back', () => {
  test('sets the variables first, then says that it is done: two releases in the words of Heroku', async () => {
    const provider = await market.register({ mode: 'async', completes: 'when-told' })
    const app = await market.newApp()
    const before = await market.releases(app)
    const { body, status } = await market.order(app, `${provider.slug}:test`)
    expect(status).toBe(201)
    expect(body.state).toBe('provisioning')
    expect(await market.releases(app)).toEqual(before)
    // Asked once only: what becomes of it, it says by itself.
    expect(provider.requests).toHaveLength(1)

    await provider.complete(body.id)
    expect(provider.callbacks.map(({ status: answered }) => answered)).toEqual([200, 200, 200])
    expect((await market.addon(body.name)).body).toMatchObject({ state: 'provisioned' })
    const { prefix } = provider.settings
    expect(await market.config(app)).toEqual(provider.living(body.id)[0]?.config)
    expect((await market.releases(app)).slice(0, 2)).toEqual([
      `@ref:${body.name} completed provisioning, setting ${prefix}_TOKEN, ${prefix}_URL.`,
      `Attach ${prefix} (@ref:${body.name})`,
    ])
  })

  test.each(['form', 'query', 'json'] as const)(
    'trades its grant and refreshes the token by %s',
    async (grantStyle) => {
      const provider = await market.register({ mode: 'async', grantStyle, refreshes: true })
      const app = await market.newApp()
      const { body } = await market.order(app, `${provider.slug}:test`)
      await eventually(async () =>
        expect((await market.addon(body.name)).body.state).toBe('provisioned'),
      )
      const [traded] = provider.callbacks
      expect(traded?.body).toEqual({
        access_token: expect.stringMatching(/^HRKU-/),
        refresh_token: expect.any(String),
        expires_in: 28_799,
        token_type: 'Bearer',
        user_id: body.id,
        session_nonce: null,
      })
    },
  )

  test('may say that it cannot: the add-on goes, and the reason is shown for a while', async () => {
    const provider = await market.register({
      mode: 'async',
      completes: 'when-told',
      quirks: ['gives-up'],
    })
    const app = await market.newApp()
    const { body } = await market.order(app, `${provider.slug}:test`)
    await provider.complete(body.id)
    await eventually(async () => {
      const { body: now } = await market.addon(body.name)
      expect(now.state).toBe('deprovisioned')
      expect(now.provision_message).toContain(`could not make ${body.name}`)
    })
    expect(await market.config(app)).toEqual({})
  })

  test('may be destroyed while it is at work; what it then calls back with is refused', async () => {
    const provider = await market.register({ mode: 'async', completes: 'when-told' })
    const app = await market.newApp()
    const { body } = await market.order(app, `${provider.slug}:test`)
    const resource = provider.living(body.id)[0]
    expect((await destroy(app, body.name)).body).toMatchObject({ state: 'deprovisioned' })
    expect(resource?.state).toBe('gone')
    if (resource) resource.state = 'pending'
    await provider.complete(body.id)
    expect(provider.callbacks.map(({ status }) => status)).not.toContain(200)
    expect(await market.config(app)).toEqual({})
  })

  test('kill -9 of the broker before, between and after its calls: two releases, once each', async () => {
    const provider = await market.register({ mode: 'async', completes: 'when-told' })
    const app = await market.newApp()
    const { body } = await market.order(app, `${provider.slug}:test`)
    const completed = provider.complete(body.id)
    await eventually(() => expect(provider.callbacks.length).toBeGreaterThan(0))
    await market.killBroker()
    await completed
    await market.startBroker()
    if (provider.living(body.id)[0]?.state === 'pending') await provider.complete(body.id)
    await eventually(
      async () => expect((await market.addon(body.name)).body.state).toBe('provisioned'),
      25_000,
    )
    expect((await market.releases(app)).filter((text) => text.includes(body.name))).toHaveLength(2)
    expect(provider.requests.filter(({ call }) => call === 'provision')).toHaveLength(1)
  }, 60_000)
})

describe('what a token of an add-on may do', () => {
  test('reads and sets that add-on, and nothing else', async () => {
    const provider = await market.register({ mode: 'async', requires: ['many_per_app'] })
    const app = await market.newApp()
    const [one, other] = [
      (await market.order(app, `${provider.slug}:test`)).body,
      (await market.order(app, `${provider.slug}:test`)).body,
    ]
    await eventually(async () => {
      for (const { name } of [one, other])
        expect((await market.addon(name)).body.state).toBe('provisioned')
    })
    const { accessToken = '' } = provider.living(one.id)[0]?.tokens ?? {}
    const asProvider = apiClient(market.base, accessToken)
    for (const name of [one.id, one.name, provider.slug])
      expect((await asProvider('GET', `/addons/${name}`)).body).toMatchObject({ id: one.id })
    expect((await asProvider('GET', '/addons')).body).toMatchObject([{ id: one.id }])
    expect((await asProvider('GET', `/addons/${one.id}/addon-attachments`)).body).toHaveLength(1)
    for (const path of [`/addons/${other.id}`, `/addons/${other.id}/config`])
      expect((await asProvider('GET', path)).status).toBe(404)
    expect((await asProvider('GET', '/apps')).body).toMatchObject([{ name: app }])
    expect((await asProvider('GET', `/apps/${app}`)).body).toMatchObject({ name: app })
    const people = await asProvider('GET', `/apps/${app}/collaborators`)
    expect(people.body).toMatchObject([{ user: { email: market.customer.account.email } }])
    const foreign = await market.newApp()
    for (const path of [`/apps/${foreign}`, `/apps/${foreign}/collaborators`])
      expect((await asProvider('GET', path)).status).toBe(404)
    for (const path of [`/apps/${app}/config-vars`, `/apps/${app}/releases`, '/account'])
      expect((await asProvider('GET', path)).status).toBe(403)
    for (const method of ['PATCH', 'DELETE'])
      expect((await asProvider(method, `/apps/${app}`, { body: {} })).status).toBe(403)

    const name = `${provider.settings.prefix}_URL`
    const set = { body: { config: [{ name, value: 'https://moved.example/' }] } }
    expect((await asProvider('PATCH', `/addons/${other.id}/config`, set)).status).toBe(404)
    expect((await asProvider('PATCH', `/addons/${one.id}/config`, set)).status).toBe(200)
    expect(Object.values(await market.config(app))).toContain('https://moved.example/')
    expect((await market.releases(app))[0]).toContain(`by ${provider.slug}`)
    const undeclared = { body: { config: [{ name: 'PATH', value: '/' }] } }
    const refused = await asProvider('PATCH', `/addons/${one.id}/config`, undeclared)
    expect(refused.status).toBe(422)
    expect(refused.text).toContain('does not declare PATH')
    // What only its provider may do.
    for (const [method, path] of [
      ['PATCH', `/addons/${one.id}/config`],
      ['POST', `/addons/${one.id}/actions/provision`],
    ] as const) {
      expect((await market.customer.api(method, path, set)).status).toBe(403)
      expect((await provider.owner(method, path, set)).status).toBe(404)
    }
  })

  test('ends with the add-on, and with its client secret', async () => {
    const provider = await market.register({ mode: 'async' })
    const app = await market.newApp()
    const { body } = await market.order(app, `${provider.slug}:test`)
    await eventually(async () =>
      expect((await market.addon(body.name)).body.state).toBe('provisioned'),
    )
    const resource = provider.living(body.id)[0]
    const asProvider = apiClient(market.base, resource?.tokens?.accessToken ?? '')
    const renew = () => provider.owner('POST', `/api/v3/addons/${provider.slug}/client_secret`)
    expect(
      (await market.customer.api('POST', `/api/v3/addons/${provider.slug}/client_secret`)).status,
    ).toBe(403)
    const { client_secret: secret } = (await renew()).body as { client_secret: string }
    expect((await asProvider('GET', `/addons/${body.id}`)).status).toBe(401)

    const trade = (params: Record<string, string>) =>
      http('POST', `${market.base}/oauth/token?${new URLSearchParams(params).toString()}`)
    const refresh = {
      grant_type: 'refresh_token',
      refresh_token: resource?.tokens?.refreshToken ?? '',
      client_secret: secret,
    }
    const old = await trade({ ...refresh, client_secret: provider.settings.clientSecret })
    expect(old).toMatchObject({ status: 401, body: { id: 'unauthorized' } })
    const fresh = await trade(refresh)
    expect(fresh.status).toBe(200)
    const used = await trade({
      grant_type: 'authorization_code',
      code: resource?.grantCode ?? '',
      client_secret: secret,
    })
    expect(used).toMatchObject({ status: 400, body: { message: expect.stringContaining('used') } })
    await destroy(app, body.name)
    expect((await trade(refresh)).status).toBe(400)
  })
})
