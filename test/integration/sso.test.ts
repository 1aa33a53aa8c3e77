import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { createAccount } from '../support/accounts.ts'
import { apiClient, http } from '../support/http.ts'
import { openMarketplace, type AddonBody, type Marketplace } from '../support/marketplace.ts'

let market: Marketplace

beforeAll(async () => {
  market = await openMarketplace(inject('engines'))
})

afterAll(() => market.stop())

type Sso = { action: string; method: string; params: Record<string, string> }

/** What a browser does with the form. */
const send = ({ action, params }: Sso): Promise<Response> =>
  fetch(action, { method: 'POST', body: new URLSearchParams(params), redirect: 'manual' })

const resolve = async (app: string, addon: string, api = market.customer.api) => {
  const body = { addon, app }
  const found = (await api('POST', '/actions/addons/resolve', { body })).body as AddonBody[]
  return String(found[0]?.web_url)
}

test('the provider lets in who comes with the form, from the app that he came from', async () => {
  const provider = await market.register()
  const app = await market.newApp()
  const { body } = await market.order(app, provider.slug)
  const path = `/apps/${app}/addons/${body.name}/sso`
  const sso = (await market.customer.api('GET', path)).body as Sso
  expect(sso).toMatchObject({
    action: `${provider.url}/sso`,
    method: 'post',
    params: { resource_id: body.id, email: market.customer.account.email, app, context_app: app },
  })
  expect((await send(sso)).status).toBe(302)
  const forged = { ...sso, params: { ...sso.params, resource_token: 'f'.repeat(40) } }
  expect((await send(forged)).status).toBe(403)
})

test('addons:open gets an address that lets its browser in once it is opened', async () => {
  const provider = await market.register({ requires: ['attachable'] })
  const app = await market.newApp()
  const { body } = await market.order(app, provider.slug)
  const address = await resolve(app, body.name)
  expect(address).toMatch(new RegExp(`^${market.base}/addons/${body.id}/dashboard\\?ticket=`))
  const page = await http('GET', address)
  expect(page.status).toBe(200)
  expect(page.headers['content-type']).toContain('text/html')
  expect(page.headers['content-security-policy']).toContain("default-src 'none'")
  const fields = [...page.text.matchAll(/name="([^"]+)" value="([^"]*)"/g)]
  const params = Object.fromEntries(fields.map(([, name = '', value = '']) => [name, value]))
  const action = /action="([^"]+)"/.exec(page.text)?.[1] ?? ''
  expect((await send({ action, method: 'post', params })).status).toBe(302)

  // In lists there is no ticket, and without one nobody is let in.
  const listed = (await market.addon(body.name)).body.web_url
  expect(listed).not.toContain('ticket')
  expect(await http('GET', listed)).toMatchObject({ status: 404, body: { id: 'not_found' } })
  const ticket = new URL(address).searchParams.get('ticket') ?? ''
  const middle = Math.floor(ticket.length / 2)
  const another = ticket[middle] === 'A' ? 'B' : 'A'
  const altered = ticket.slice(0, middle) + another + ticket.slice(middle + 1)
  for (const wrong of ['', 'x', altered])
    expect((await http('GET', `${listed}?ticket=${wrong}`)).status).toBe(401)
  const other = await market.order(await market.newApp(), provider.slug)
  expect((await http('GET', `${other.body.web_url}?ticket=${ticket}`)).status).toBe(401)
})

test('an address opens nothing any more once its user has lost the app', async () => {
  const provider = await market.register()
  const app = await market.newApp()
  const { body } = await market.order(app, provider.slug)
  const guest = await createAccount(inject('engines'))
  const asGuest = apiClient(market.base, guest.token)
  const collaborators = `/apps/${app}/collaborators`
  await market.customer.api('POST', collaborators, { body: { user: guest.email } })
  const address = await resolve(app, body.name, asGuest)
  expect((await http('GET', address)).status).toBe(200)
  await market.customer.api('DELETE', `${collaborators}/${guest.email}`)
  expect((await http('GET', address)).status).toBe(404)
})

test('version 1 lets in by GET, with the id and the token of that time', async () => {
  const provider = await market.register({ apiVersion: '1' })
  const app = await market.newApp()
  const { body } = await market.order(app, provider.slug)
  const path = `/apps/${app}/addons/${body.name}/sso`
  const { action, method, params } = (await market.customer.api('GET', path)).body as Sso
  expect({ action, method }).toEqual({
    action: `${provider.url}/heroku/resources/${body.id}`,
    method: 'get',
  })
  const query = new URLSearchParams(params).toString()
  expect((await http('GET', `${action}?${query}`)).status).toBe(200)
})
