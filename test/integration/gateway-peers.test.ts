import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { createAccount, type TestAccount } from '../support/accounts.ts'
import { apiClient, type HttpAnswer } from '../support/http.ts'
import { freePortBase } from '../support/ports.ts'
import { startService, type ServiceProcess } from '../support/services.ts'

// One gateway believes this machine's X-Forwarded-For, so that a test can be many peers.

const engines = inject('engines')
const services: ServiceProcess[] = []
let ada: TestAccount
let trusting: string
const trustless = `http://127.0.0.1:${engines.layout.ports.api}`

beforeAll(async () => {
  const port = String(await freePortBase())
  trusting = `http://127.0.0.1:${port}`
  const proxies = '10.9.0.0/16, 127.0.0.1'
  services.push(
    await startService('apps', engines),
    await startService('api', engines),
    await startService('api', engines, {
      PLEXUS_API_PORT: port,
      PLEXUS_API_TRUSTED_PROXIES: proxies,
    }),
  )
  ada = await createAccount(engines)
})

afterAll(async () => {
  for (const service of services.toReversed()) await service.stop()
})

/** What a proxy in front of the gateway makes of a request from `peer`. */
const from = (peer: string) => ({ headers: { 'X-Forwarded-For': peer } })

/** Asks with wrong tokens, of which each is another, until that is refused. */
async function exhaust(url: string, peer: string, post = false): Promise<HttpAnswer> {
  const ask = (): Promise<HttpAnswer> => {
    const stranger = apiClient(url, `HRKU-wrong-${randomUUID()}`)
    return post
      ? stranger('POST', '/oauth/authorizations', { ...from(peer), body: {} })
      : stranger('GET', '/account', from(peer))
  }
  for (let asked = 0; asked < 1_000; asked += 20) {
    const answers = await Promise.all(Array.from({ length: 20 }, ask))
    const refused = answers.find(({ status }) => status !== 401)
    if (refused) return refused
  }
  throw new Error('wrong tokens are asked about without bound')
}

test.each([
  ['any request', '192.0.2.1', false],
  ['making a token', '192.0.2.2', true],
])('%s with wrong tokens is refused to a peer that goes on with it', async (_what, peer, post) => {
  const [known, fresh] = [await createAccount(engines), await createAccount(engines)]
  const ask = (token: string, address: string): Promise<HttpAnswer> =>
    apiClient(trusting, token)('GET', '/account', from(address))
  expect((await ask(known.token, peer)).status).toBe(200)

  const refused = await exhaust(trusting, peer, post)
  expect([refused.status, refused.body]).toMatchObject([429, { id: 'rate_limit' }])
  // Nothing was asked about this one: it is refused although it would do.
  expect((await ask(fresh.token, peer)).status).toBe(429)
  // Whoever was there before, behind the same address, is not shut out with it; nor any other peer.
  expect((await ask(known.token, peer)).status).toBe(200)
  expect((await ask(fresh.token, '192.0.2.9')).status).toBe(200)
})

test('making a token by a token is a request of the account', async () => {
  const client = apiClient(trusting, ada.token)
  const made = await client('POST', '/oauth/authorizations', { body: {} })
  expect(made.status).toBe(201)
  const left = Number(made.headers['ratelimit-remaining'])
  expect(left).toBeLessThan(4_500)
  expect((await client('GET', '/account/rate-limits')).body).toEqual({ remaining: left })
})

test('what a client claims about its address is believed from a trusted proxy only', async () => {
  const { token } = await createAccount(engines)
  const ask = async (url: string, forwarded: string): Promise<number> =>
    (await apiClient(url, token)('GET', '/account', from(forwarded))).status
  await exhaust(trusting, '192.0.2.3')
  expect(await ask(trusting, '198.51.100.7, 192.0.2.3')).toBe(429)
  expect(await ask(trusting, '192.0.2.3, 198.51.100.7, 10.9.0.3')).toBe(200)
  await exhaust(trustless, '192.0.2.4')
  expect(await ask(trustless, '198.51.100.8')).toBe(429)
})
