import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { createAccount, type TestAccount } from '../support/accounts.ts'
import { eventually } from '../support/eventually.ts'
import { apiClient } from '../support/http.ts'
import { startOtlpCollector } from '../support/log-receivers.ts'
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

describe('telemetry drains', () => {
  type TelemetryDrain = { id: string; owner: { id: string }; exporter: object; signals: string[] }

  const endpoint = 'https://user:secret-word@127.0.0.1:1/otlp'
  const all = ['traces', 'metrics', 'logs']
  const none = '/telemetry-drains/01234567-89ab-4def-8123-456789abcdef'

  let asAda: ReturnType<typeof apiClient>
  let asBob: ReturnType<typeof apiClient>

  beforeAll(() => {
    asAda = apiClient(base, ada.token)
    asBob = apiClient(base, bob.token)
  })

  const newApp = async (): Promise<{ id: string; name: string }> =>
    (await asAda('POST', '/apps')).body as { id: string; name: string }

  const bodyFor = (id: string, exporter: object = {}, more: object = {}) => ({
    ...{ owner: { id, type: 'app' }, signals: all, ...more },
    exporter: { type: 'otlphttp', endpoint, ...exporter },
  })
  const add = (id: string, exporter: object = {}, more: object = {}) =>
    asAda('POST', '/telemetry-drains?force=true', { body: bodyFor(id, exporter, more) })
  const listed = async (app: string): Promise<TelemetryDrain[]> =>
    (await asAda('GET', `/apps/${app}/telemetry-drains`)).body as TelemetryDrain[]

  test('one is added, shown, changed in parts and removed, and is no log drain', async () => {
    const { id: appId, name: app } = await newApp()
    const { status, body } = await add(appId, { headers: { 'API-Key': 'k1' } })
    const { id } = body as TelemetryDrain
    const path = `/telemetry-drains/${id}`
    expect(status).toBe(201)
    expect(body).toEqual({
      ...{ id, owner: { id: appId, type: 'app' }, signals: ['logs'] },
      exporter: { type: 'otlphttp', endpoint, headers: { 'API-Key': 'k1' } },
      ...{ created_at: expect.any(String), updated_at: expect.any(String) },
    })
    expect((await asAda('GET', path)).body).toEqual(body)
    expect(await listed(app)).toEqual([body])
    const stateOf = await asAda('GET', path, { headers: { 'Accept-Inclusion': 'state' } })
    expect(stateOf.body).toMatchObject({ id, state: { delivered: 0, lag: { lines: 0 } } })
    expect((await asAda('GET', `/apps/${app}/log-drains`)).body).toEqual([])
    expect((await asAda('GET', `/apps/${app}/log-drains/${id}`)).status).toBe(404)

    const change = (change: object) => asAda('PATCH', `${path}?force=true`, { body: change })
    const other = 'http://127.0.0.1:2'
    const pointed = await change({ exporter: { endpoint: other, type: 'otlphttp' } })
    expect(pointed.body).toMatchObject({
      id,
      exporter: { endpoint: other, headers: { 'API-Key': 'k1' } },
    })
    const bare = await change({ exporter: { headers: {} }, signals: ['logs', 'metrics'] })
    expect(bare.body).toMatchObject({ signals: ['logs'] })
    expect((bare.body as TelemetryDrain).exporter).toEqual({
      ...{ type: 'otlphttp', endpoint: other, headers: {} },
    })
    expect((await change({})).body).toEqual(bare.body)

    expect((await asAda('DELETE', path)).body).toEqual(bare.body)
    expect(await listed(app)).toEqual([])
    for (const method of ['GET', 'PATCH', 'DELETE'])
      expect((await asAda(method, path, { body: {} })).body).toEqual({
        ...{ id: 'not_found', resource: 'telemetry drain' },
        message: "Couldn't find that telemetry drain.",
      })
  })

  test('five are enough, beside five log drains; the same one counts once', async () => {
    const { id, name: app } = await newApp()
    const logDrain = (at: number) =>
      asAda('POST', `/apps/${app}/log-drains?force=true`, {
        body: { url: `syslog://127.0.0.1:${at}` },
      })
    const ids: string[] = []
    for (const at of [1, 2, 3, 4, 5]) {
      const { status, body } = await add(id, { headers: { 'X-Dataset': `d${at}` } })
      ids.push((body as TelemetryDrain).id)
      expect([status, (await logDrain(at)).status]).toEqual([201, 201])
    }
    const sixth = await add(id)
    expect(sixth.body).toEqual({
      ...{ id: 'invalid_params' },
      message: 'You have already added the maximum number of drains allowed.',
    })
    expect((await logDrain(6)).status).toBe(422)
    const second = await asAda('PATCH', `/telemetry-drains/${ids[0]}?force=true`, {
      body: { exporter: { headers: { 'X-Dataset': 'd2' } } },
    })
    expect(second.body).toMatchObject({ message: 'Url has already been taken' })
    await asAda('DELETE', `/telemetry-drains/${ids[0]}`)
    expect((await add(id, { headers: { 'X-Dataset': 'd2' } })).body).toMatchObject({
      message: 'Url has already been taken',
    })
    expect((await add(id)).status).toBe(201)
  })

  test.each([
    ['a space', {}, { owner: { id: 'ours', type: 'space' } }, 'has no spaces'],
    ['no logs', {}, { signals: ['traces', 'metrics'] }, '--signals logs'],
    ['no signals', {}, { signals: [] }, 'signals'],
    ['an unknown signal', {}, { signals: ['logs', 'smoke'] }, 'signals'],
    ['gRPC', { type: 'otlp' }, {}, '--transport http'],
    ['another exporter', { type: 'splunk' }, {}, '--transport http'],
    ['no url', { endpoint: 'otlp.example.com:4317' }, {}, 'https://otlp.example.com:4318'],
    ['no place for HTTP', { endpoint: 'syslog://x.example' }, {}, 'Invalid endpoint'],
    ['no host', { endpoint: 'https://#insecure' }, {}, 'Invalid endpoint'],
    ['headers of no text', { headers: { a: 1 } }, {}, 'headers:a'],
    ['a header in two lines', { headers: { a: 'b\r\nc: d' } }, {}, 'the value of a'],
    ["HTTP's own header", { headers: { Host: 'x' } }, {}, 'Host is set by Plexus'],
    ['more params', { colour: 'red' }, {}, 'Unknown params: exporter:colour'],
  ])('%s is refused, and nothing is added', async (_, exporter, more, say) => {
    const { id, name: app } = await newApp()
    const answer = await add(id, exporter, more)
    expect(answer).toMatchObject({ status: 422, body: { id: 'invalid_params' } })
    expect(answer.body).toMatchObject({ message: expect.stringContaining(say) })
    expect(await listed(app)).toEqual([])
  })

  test('one is tested, with its headers, before it is added and before it is changed', async () => {
    const { id: owner, name: app } = await newApp()
    const { name: other } = await newApp()
    const receiver = await startOtlpCollector()
    try {
      const send = (method: string, path: string, exporter: object) => {
        const body = method === 'POST' ? bodyFor(owner, exporter) : { exporter }
        return asAda(method, path, { body })
      }
      const there = `http://127.0.0.1:${receiver.port}`
      const exporter = { endpoint: there, headers: { 'API-Key': 'k1' } }
      receiver.otherwise = 401
      expect((await send('POST', '/telemetry-drains', exporter)).body).toMatchObject({
        id: 'invalid_params',
        message: expect.stringMatching(
          /not added\. authentication failed: the receiver answered 401.*telemetry add .* --force/,
        ),
      })
      expect(await listed(app)).toEqual([])

      receiver.otherwise = 200
      const added = await send('POST', '/telemetry-drains', exporter)
      const { id } = added.body as TelemetryDrain
      expect(receiver.posts.at(-1)).toMatchObject({
        ...{ path: '/v1/logs', headers: { 'api-key': 'k1' } },
        logs: { records: [{ body: `Test of this drain by ${ada.email}` }] },
      })
      const test = (of: string) =>
        asAda('POST', `/apps/${of}/log-drains/actions/test`, { body: { drain: id } })
      expect((await test(app)).body).toMatchObject({ passed: true })
      expect(receiver.posts.at(-1)).toMatchObject({ headers: { 'api-key': 'k1' } })
      expect((await test(other)).status).toBe(422)

      receiver.otherwise = 403
      const changed = { headers: { 'API-Key': 'k2' } }
      expect((await send('PATCH', `/telemetry-drains/${id}`, changed)).body).toMatchObject({
        message: expect.stringMatching(/not changed\. .* 403.*"force": true/),
      })
      expect(receiver.posts.at(-1)).toMatchObject({ headers: { 'api-key': 'k2' } })
      expect((await asAda('GET', `/telemetry-drains/${id}`)).body).toEqual(added.body)
    } finally {
      await receiver.close()
    }
  })

  test('of two changes at once the slower one is refused', async () => {
    const { id: owner } = await newApp()
    const { id } = (await add(owner)).body as TelemetryDrain
    const path = `/telemetry-drains/${id}`
    const quicker = { exporter: { headers: { quicker: '1' } }, force: true }
    // The other change comes while the receiver of the first one is being tested.
    const receiver = createServer((_request, response) => {
      void asAda('PATCH', path, { body: quicker }).then(() => response.end())
    })
    await new Promise<void>((listening) => receiver.listen(0, '127.0.0.1', listening))
    const { port } = receiver.address() as AddressInfo
    const slower = { exporter: { endpoint: `http://127.0.0.1:${port}` } }
    expect(await asAda('PATCH', path, { body: slower })).toMatchObject({
      ...{ status: 409, body: { id: 'conflict' } },
    })
    expect((await asAda('GET', path)).body).toMatchObject({
      exporter: { endpoint, headers: { quicker: '1' } },
    })
    receiver.close()
  })

  test('who may not touch the app hears of no drain of it; a collaborator may all', async () => {
    const { id: appId, name: app } = await newApp()
    const { id } = (await add(appId)).body as TelemetryDrain
    const path = `/telemetry-drains/${id}`
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const [answer, ofNone] = await Promise.all(
        [path, none].map((each) => asBob(method, each, { body: {} })),
      )
      expect(answer?.status).toBe(404)
      expect(answer?.body).toEqual(ofNone?.body)
    }
    for (const [method, place, body] of [
      ['GET', `/apps/${app}/telemetry-drains`, undefined],
      ['POST', '/telemetry-drains?force=true', bodyFor(appId)],
    ] as const)
      expect(await asBob(method, place, { body })).toMatchObject({
        ...{ status: 404, body: { id: 'not_found', resource: 'app' } },
      })
    expect(await listed(app)).toHaveLength(1)

    await asAda('POST', `/apps/${app}/collaborators`, { body: { user: bob.email } })
    expect((await asBob('GET', path)).body).toMatchObject({ id, exporter: { endpoint } })
    expect((await asBob('DELETE', path)).status).toBe(200)
    expect(await asAda('GET', '/spaces/ours/telemetry-drains')).toMatchObject({
      ...{ status: 404, body: { id: 'not_found', resource: 'space' } },
    })
  })
})
