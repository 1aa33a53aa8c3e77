import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { createAccount, type TestAccount } from '../support/accounts.ts'
import { eventually } from '../support/eventually.ts'
import { apiClient } from '../support/http.ts'
import { startService, type ServiceProcess } from '../support/services.ts'

const engines = inject('engines')
const base = `http://127.0.0.1:${engines.layout.ports.api}`
const services: ServiceProcess[] = []
let ada: TestAccount
let bob: TestAccount

beforeAll(async () => {
  for (const name of ['apps', 'logplex', 'api'] as const)
    services.push(await startService(name, engines))
  ada = await createAccount(engines)
  bob = await createAccount(engines)
})

afterAll(async () => {
  for (const service of services.toReversed()) await service.stop()
})

test('a session takes filters beyond those of the CLI, and says what is wrong with them', async () => {
  const asAda = apiClient(base, ada.token)
  const { name: app } = (await asAda('POST', '/apps')).body as { name: string }
  const ask = (body: unknown) => asAda('POST', `/apps/${app}/log-sessions`, { body })
  const { status, body } = await ask({
    ...{ match: 'Initial', pattern: '^Initial rel', since: '10m', type: 'api' },
    until: new Date(Date.now() + 60_000).toISOString(),
  })
  expect(status).toBe(201)
  const { logplex_url: url } = body as { logplex_url: string }
  await eventually(async () => {
    const lines = (await (await fetch(url)).text()).trim().split('\n')
    expect(lines).toEqual([expect.stringMatching(/: Initial release by /)])
  })
  const { body: other } = await ask({ type: 'web' })
  expect(await (await fetch((other as { logplex_url: string }).logplex_url)).text()).toBe('')
  for (const [wrong, sentence] of [
    [{ match: 7 }, 'match'],
    [{ until: 'soon' }, 'Until must be a time as '],
    [{ pattern: '(' }, 'Pattern is no regular expression of RE2: '],
  ] as const) {
    const answer = await ask(wrong)
    expect(answer).toMatchObject({ status: 422, body: { id: 'invalid_params' } })
    expect((answer.body as { message: string }).message).toContain(sentence)
  }
})

test('the url of a session is good for as long as its account may see the app', async () => {
  const asAda = apiClient(base, ada.token)
  const { name: app } = (await asAda('POST', '/apps')).body as { name: string }
  const add = () => asAda('POST', `/apps/${app}/collaborators`, { body: { user: bob.email } })
  const remove = () => asAda('DELETE', `/apps/${app}/collaborators/${bob.email}`)
  const makeSession = async ({ token }: TestAccount): Promise<string> => {
    const answer = await apiClient(base, token)('POST', `/apps/${app}/log-sessions`, { body: {} })
    return (answer.body as { logplex_url: string }).logplex_url
  }
  const status = async (url: string): Promise<number> => (await fetch(url)).status

  expect((await add()).status).toBe(201)
  const [first, ofOwner] = [await makeSession(bob), await makeSession(ada)]
  expect([await status(first), await status(ofOwner)]).toEqual([200, 200])
  expect((await remove()).status).toBe(200)
  expect((await add()).status).toBe(201)
  const again = await makeSession(bob)
  await eventually(async () => expect(await status(first)).toBe(404))
  expect([await status(again), await status(ofOwner)]).toEqual([200, 200])

  expect((await asAda('DELETE', `/apps/${app}`)).status).toBe(200)
  await eventually(async () =>
    expect([await status(again), await status(ofOwner)]).toEqual([404, 404]),
  )
})
