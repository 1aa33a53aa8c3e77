import { ProxyAgent, request } from 'undici'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { createAccount } from '../support/accounts.ts'
import { startTestShim, type TestShim } from '../support/egress.ts'
import { startService, type ServiceProcess } from '../support/services.ts'

const engines = inject('engines')
const services: ServiceProcess[] = []
let shim: TestShim
let dispatcher: ProxyAgent

beforeAll(async () => {
  services.push(await startService('apps', engines), await startService('api', engines))
  const origin = new URL(`http://127.0.0.1:${engines.layout.ports.api}`)
  shim = await startTestShim({ origin })
  dispatcher = new ProxyAgent({ uri: shim.proxyUrl, requestTls: { ca: shim.ca.certificate } })
})
afterAll(async () => {
  await dispatcher.close()
  await shim.stop()
  for (const service of services.toReversed()) await service.stop()
})

test('api.heroku.com is the api: without a token its refusal, with one its answer', async () => {
  const headers = { accept: 'application/vnd.heroku+json; version=3' }
  const refused = await request('https://api.heroku.com/account', { dispatcher, headers })
  expect([refused.statusCode, await refused.body.json()]).toMatchObject([
    401,
    { id: 'unauthorized' },
  ])
  const { token, email } = await createAccount(engines)
  const authorization = `Bearer ${token}`
  const answer = await request('https://api.heroku.com/account', {
    dispatcher,
    headers: { ...headers, authorization },
  })
  expect([answer.statusCode, await answer.body.json()]).toMatchObject([200, { email }])
})
