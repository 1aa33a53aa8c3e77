import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { must } from '#lib/assert.ts'
import { createAccount } from '../support/accounts.ts'
import { eventually } from '../support/eventually.ts'
import { http } from '../support/http.ts'
import { openMarketplace, type AddonBody, type Marketplace } from '../support/marketplace.ts'
import { osbIds, startOsbBroker, type OsbBroker } from '../support/osb-broker.ts'
import { startService } from '../support/services.ts'

let market: Marketplace
let broker: OsbBroker
let slug: string

beforeAll(async () => {
  market = await openMarketplace(inject('engines'))
  broker = await startOsbBroker({ polls: 0 })
  slug = String(broker.catalog.services[0]?.['name'])
})

afterAll(async () => {
  await market.stop()
  await broker.stop()
})

const run = promisify(execFile)

/** Imports the broker's catalog with the command that people use. */
function importCatalog(args: string[] = [], by: { token?: string; password?: string } = {}) {
  const { token = market.customer.account.token, password = broker.password } = by
  const env = {
    ...process.env,
    ...{ PLEXUS_API_URL: market.base, PLEXUS_API_TOKEN: token, PLEXUS_OSB_PASSWORD: password },
  }
  const words = ['manifest', 'import', broker.url, '--user', broker.username, ...args]
  return run(process.execPath, [resolve('bin/plexus'), ...words], { env })
}

const attach = (addon: string, app: string, name: string) =>
  market.customer.api('POST', '/addon-attachments', { body: { addon, app, name } })

const destroy = (app: string, addon: string) =>
  market.customer.api('DELETE', `/apps/${app}/addons/${addon}`)

describe('the catalog', () => {
  test('becomes a service with its plans, is imported again, and stays who imported it', async () => {
    const { stdout } = await importCatalog()
    expect(stdout).toContain(`${slug} is pushed in alpha, revision `)
    expect(stdout).toContain('small  free')
    expect(stdout).toContain('large  $19.50 a month, once the service is ga')
    expect(stdout).not.toContain(broker.password)
    const plans = (await market.customer.api('GET', `/addon-services/${slug}/plans`)).body
    const small = { human_name: 'Small', description: 'A shelf.', default: true }
    const large = { human_name: 'large', description: 'A hall.', default: false }
    expect(plans).toHaveLength(2)
    for (const plan of [
      { name: `${slug}:small`, ...small },
      { name: `${slug}:large`, ...large },
    ])
      expect(plans).toContainEqual(expect.objectContaining(plan))

    const { token } = await createAccount(inject('engines'))
    await expect(importCatalog([], { token })).rejects.toThrow("somebody else's")
    const { stdout: prefixed } = await importCatalog(['--prefix', 'mine-'], { token })
    expect(prefixed).toContain(`mine-${slug} is pushed`)
    await expect(importCatalog([], { password: 'wrong' })).rejects.toThrow('does not accept')

    // What the broker calls the platform now, a new import brings with it.
    Object.assign(broker, { username: 'renamed', password: 'another' })
    await importCatalog()
  })
})

describe.each([false, true])('the life of an add-on, in the background: %s', (isAsync) => {
  test('made, shared with credentials of its own, changed, detached and destroyed', async () => {
    Object.assign(broker.rules, { asyncInstances: isAsync, asyncBindings: isAsync })
    broker.requests.length = 0
    const [app, other] = [await market.newApp(), await market.newApp()]
    const { body } = await market.order(app, `${slug}:small`, {
      config: { shelf: 'left', boards: '3' },
    })
    await eventually(async () =>
      expect((await market.addon(body.name)).body.state).toBe('provisioned'),
    )
    const [asked] = broker.asked('provision')
    expect(asked?.fields).toEqual({
      service_id: osbIds.service,
      plan_id: osbIds.small,
      context: { platform: 'plexus', app_id: expect.any(String) },
      organization_guid: expect.any(String),
      space_guid: expect.any(String),
      parameters: { shelf: 'left', boards: 3 },
    })
    const [platform, identity = ''] = String(
      asked?.headers['x-broker-api-originating-identity'],
    ).split(' ')
    expect(platform).toBe('plexus')
    expect(JSON.parse(Buffer.from(identity, 'base64').toString())).toEqual({
      user_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
    const requestIds = broker.requests.map(
      ({ headers }) => headers['x-broker-api-request-identity'],
    )
    expect(new Set(requestIds).size).toBe(requestIds.length)
    const prefix = slug.toUpperCase().replaceAll('-', '_')
    expect((await market.addon(body.name)).body.config_vars).toContain(`${prefix}_URL`)
    expect((await market.releases(app))[0]).toBe(`Attach ${prefix} (@ref:${body.name})`)

    expect((await attach(body.name, other, 'STORE')).status).toBe(201)
    const own = (await market.config(app))[`${prefix}_URL`]
    const shared = (await market.config(other))['STORE_URL']
    expect([own, shared]).toEqual([
      expect.stringMatching(/^osb:\/\/u-/),
      expect.stringMatching(/^osb:\/\/u-/),
    ])
    expect(own).not.toBe(shared)

    const wanted = { body: { plan: 'large' } }
    const changed = await market.customer.api('PATCH', `/apps/${app}/addons/${body.name}`, wanted)
    expect(changed.body).toMatchObject({ plan: { name: `${slug}:large` } })
    expect(broker.instances.get(body.id)?.planId).toBe(osbIds.large)
    expect((await market.config(other))['STORE_URL']).toBe(shared)

    const list = (await market.customer.api('GET', `/apps/${other}/addon-attachments`)).body
    const [{ id } = { id: '' }] = list as { id: string }[]
    expect((await market.customer.api('DELETE', `/addon-attachments/${id}`)).status).toBe(200)
    expect(await market.config(other)).toEqual({})
    expect([...(broker.instances.get(body.id)?.bindings.keys() ?? [])]).not.toContain(id)

    expect((await destroy(app, body.name)).body).toMatchObject({ state: 'deprovisioned' })
    expect(broker.instances.size).toBe(0)
    expect(await market.config(app)).toEqual({})
    expect(broker.asked('unbind').at(-1)?.atMs).toBeLessThanOrEqual(
      broker.asked('deprovision')[0]?.atMs ?? 0,
    )
  })
})

test('an option that is not of the type that the plan wants is refused before the broker is asked', async () => {
  broker.requests.length = 0
  const app = await market.newApp()
  const refused = await market.order(app, slug, { config: { boards: 'many' } })
  expect([refused.status, refused.body.message]).toEqual([
    422,
    expect.stringMatching(/: boards must be integer\. It takes: -- .*\[--boards integer\]/),
  ])
  expect(broker.requests).toEqual([])
})

test('its dashboard is opened with the address that the broker has answered', async () => {
  Object.assign(broker.rules, { asyncInstances: false, asyncBindings: false })
  const app = await market.newApp()
  const { body } = await market.order(app, slug)
  const target = { body: { addon: body.name, app } }
  const found = (await market.customer.api('POST', '/actions/addons/resolve', target)).body
  const page = await http('GET', String((found as AddonBody[])[0]?.web_url))
  expect(page.text).toContain('action="https://dash.example/instances/" method="get"')
  expect(page.text).toContain(`name="id" value="${body.id}"`)
  await destroy(app, body.name)
})

test('each app has the drain that its binding came with, where the service requires it', async () => {
  const logplex = await startService('logplex', inject('engines'))
  onTestFinished(() => logplex.stop())
  Object.assign(broker.rules, { drains: true, asyncBindings: true })
  Object.assign(must(broker.catalog.services[0], 'service'), { requires: ['syslog_drain'] })
  await importCatalog()
  const [app, other] = [await market.newApp(), await market.newApp()]
  const { body } = await market.order(app, slug)
  await eventually(async () =>
    expect((await market.addon(body.name)).body.state).toBe('provisioned'),
  )
  const { id } = (await attach(body.name, other, 'STORE')).body as { id: string }
  const bindings = [...must(broker.instances.get(body.id), 'instance').bindings.keys()]
  const first = bindings.find((binding) => binding !== id)
  const drains = async (of: string) =>
    (await market.customer.api('GET', `/apps/${of}/log-drains`)).body
  const addon = { id: body.id }
  expect(await drains(app)).toMatchObject([{ addon, url: `https://drains.example/${first}` }])
  expect(await drains(other)).toMatchObject([{ addon, url: `https://drains.example/${id}` }])
  await market.customer.api('DELETE', `/addon-attachments/${id}`)
  expect(await drains(other)).toEqual([])
  expect(await drains(app)).toHaveLength(1)
  await destroy(app, body.name)
  expect(await drains(app)).toEqual([])
})
