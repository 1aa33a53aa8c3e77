import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { createAccount, type TestAccount } from '../support/accounts.ts'
import { apiClient, http, type HttpAnswer } from '../support/http.ts'
import { startService, type ServiceProcess } from '../support/services.ts'

const engines = inject('engines')
const base = `http://127.0.0.1:${engines.layout.ports.api}`
const version3 = { Accept: 'application/vnd.heroku+json; version=3' }
const services: ServiceProcess[] = []
let ada: TestAccount
let api: ReturnType<typeof apiClient>

beforeAll(async () => {
  services.push(await startService('apps', engines), await startService('api', engines))
  ada = await createAccount(engines)
  api = apiClient(base, ada.token)
})

afterAll(async () => {
  for (const service of services.toReversed()) await service.stop()
})

const field = ({ body }: HttpAnswer, name: string): unknown =>
  typeof body === 'object' && body !== null ? Reflect.get(body, name) : undefined
const names = ({ body }: HttpAnswer): unknown[] =>
  (body as { name: string }[]).map(({ name }) => name)
const createApp = async (client = api): Promise<string> =>
  String(field(await client('POST', '/apps'), 'name'))

describe('what the API asks of a request', () => {
  test.each(['3', '3.sdk', '3.pipelines', '3; charset=utf-8'])(
    'version %s is spoken',
    async (version) => {
      const headers = { Accept: `text/html, application/vnd.heroku+json; version=${version}` }
      expect((await api('GET', '/account', { headers })).status).toBe(200)
    },
  )

  test.each(['*/*', 'application/json', 'application/vnd.heroku+json; version=4', ''])(
    'a caller who accepts %j is told which version to name',
    async (accept) => {
      const answer = await api('GET', '/account', { headers: { Accept: accept } })
      expect(answer.status).toBe(406)
      expect(answer.body).toMatchObject({ id: 'not_acceptable' })
    },
  )

  test('a token comes as Bearer or as the password of Basic, and nothing else will do', async () => {
    const basic = `Basic ${Buffer.from(`:${ada.token}`).toString('base64')}`
    const ask = (headers: { Authorization?: string }): Promise<HttpAnswer> =>
      http('GET', `${base}/account`, { headers: { ...version3, ...headers } })
    expect(field(await ask({ Authorization: basic }), 'email')).toBe(ada.email)
    for (const headers of [
      {},
      { Authorization: 'Bearer HRKU-wrong' },
      { Authorization: ada.token },
    ]) {
      const answer = await ask(headers)
      expect(answer.status).toBe(401)
      expect(answer.body).toMatchObject({ id: 'unauthorized' })
    }
  })

  test('what it does not know it answers in JSON', async () => {
    const answer = await api('GET', '/nothing/here')
    expect(answer.status).toBe(404)
    expect(answer.headers['content-type']).toContain('application/json')
    expect(answer.body).toMatchObject({ id: 'not_found' })
    expect((await api('GET', '/apps/%E0%A4%A')).body).toMatchObject({ id: 'bad_request' })
  })

  test('a body must be JSON, whatever it is called, and may be missing', async () => {
    expect((await api('POST', '/apps', { body: '{"name":' })).body).toMatchObject({
      id: 'bad_request',
    })
    expect((await api('POST', '/apps', { body: '{"__proto__":{"name":"x"}}' })).status).toBe(400)
    const large = { body: { name: 'x'.repeat(600_000) } }
    expect((await api('POST', '/apps', large)).status).toBe(413)
    const headers = { ...version3, Authorization: `Bearer ${ada.token}` }
    expect((await http('POST', `${base}/apps`, { headers })).status).toBe(201)
    expect((await http('POST', `${base}/apps`, { headers, body: '' })).status).toBe(201)
    expect((await http('POST', `${base}/apps`, { headers, body: {} })).status).toBe(201)
  })

  test('unknown and wrong params are refused by name, before anything happens', async () => {
    const unknown = await api('POST', '/apps', { body: { name: 'x', colour: 'red', size: 1 } })
    expect(unknown.status).toBe(422)
    expect(unknown.body).toEqual({
      id: 'invalid_params',
      message: 'Unknown params: colour, size.',
    })
    const nested = { body: { plan: 'x', attachment: { colour: 1 } } }
    expect(field(await api('POST', `/apps/${await createApp()}/addons`, nested), 'message')).toBe(
      'Unknown params: attachment:colour.',
    )
    const wrong = await api('POST', '/apps', { body: { name: 7 } })
    expect(field(wrong, 'message')).toBe('Param name must be string,null.')
    const missing = await api('POST', '/addon-attachments', { body: { app: 'x' } })
    expect(field(missing, 'message')).toBe('Missing param: addon.')
    const list = await api('PATCH', `/apps/${await createApp()}/config-vars`, { body: ['A'] })
    expect(list.status).toBe(422)
  })

  test('brackets in a query and encoded slashes in a path reach their route', async () => {
    expect((await api('GET', '/apps?eq[name]=x')).status).toBe(200)
    const drain = encodeURIComponent('https://user:pass@logs.example.com:1/a?b=c')
    const answer = await api('DELETE', `/apps/nobodys/log-drains/${drain}`)
    expect(answer.body).toMatchObject({ id: 'not_found', resource: 'app' })
  })

  test('what the CLI sends along without need is let pass', async () => {
    const body = { kernel: 'x', locked: true, feature_flags: ['a'], region: 'us', stack: {} }
    expect((await api('POST', '/apps', { body })).status).toBe(201)
  })

  test('bytes that are no HTTP, or headers without end, get an answer and no more', async () => {
    expect(await talk('nonsense\r\n\r\n')).toContain('"id":"bad_request"')
    const endless = `GET /account HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`
    expect(await talk(endless)).toContain('"id":"bad_request"')
    expect((await api('GET', '/account')).status).toBe(200)
  })
})

function talk(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(engines.layout.ports.api, '127.0.0.1', () => socket.write(bytes))
    let answer = ''
    socket.on('data', (chunk) => (answer += chunk.toString()))
    socket.once('close', () => resolve(answer))
    socket.once('error', reject)
  })
}

describe('headers of an answer', () => {
  test('every answer has its Request-Id, the given one however long', async () => {
    const ids = Array.from({ length: 200 }, () => '01234567-89ab-4def-8123-456789abcdef').join(',')
    const headers = { 'Request-Id': ids }
    expect((await api('GET', '/account', { headers })).headers['request-id']).toBe(ids)
    expect((await api('GET', '/nothing', { headers })).headers['request-id']).toBe(ids)
    expect((await api('GET', '/account')).headers['request-id']).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('nothing is compressed, also when asked', async () => {
    const answer = await api('GET', '/account', { headers: { 'Accept-Encoding': 'gzip, br' } })
    expect(answer.headers['content-encoding']).toBeUndefined()
    expect(answer.headers['content-type']).toContain('application/json')
  })

  test('any origin may call, and may ask first', async () => {
    const preflight = await http('OPTIONS', `${base}/apps`, {
      headers: { Origin: 'https://x.test', 'Access-Control-Request-Headers': 'authorization' },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-headers': 'authorization',
    })
    const answer = await api('GET', '/account')
    expect(answer.headers['access-control-expose-headers']).toContain('Next-Range')
  })

  test('an answer that has not changed is not sent again', async () => {
    const first = await api('GET', '/account')
    const etag = String(first.headers.etag)
    const again = await api('GET', '/account', { headers: { 'If-None-Match': etag } })
    expect([again.status, again.text]).toEqual([304, ''])
    const other = await api('GET', '/account', { headers: { 'If-None-Match': '"other"' } })
    expect(other.status).toBe(200)
    expect((await api('GET', '/account', { headers: { 'If-Match': '"x"' } })).status).toBe(412)
    expect(first.headers['last-modified']).toMatch(/GMT$/)
  })

  test('a write on a stale read is refused and changes nothing', async () => {
    const path = `/apps/${await createApp()}/config-vars`
    const etag = String((await api('GET', path)).headers.etag)
    const write = (body: object, ifMatch: string): Promise<HttpAnswer> =>
      api('PATCH', path, { body, headers: { 'If-Match': ifMatch } })
    expect((await write({ A: '1' }, etag)).status).toBe(200)
    const stale = await write({ A: '2' }, etag)
    expect(stale.status).toBe(412)
    expect(stale.body).toMatchObject({ id: 'precondition_failed' })
    expect((await api('GET', path)).body).toEqual({ A: '1' })
  })

  test('HEAD answers as GET without the body', async () => {
    const [get, head] = [await api('GET', '/account'), await api('HEAD', '/account')]
    expect(head.text).toBe('')
    expect([head.status, head.headers.etag]).toEqual([200, get.headers.etag])
  })

  test('a client that can only POST names the method it means', async () => {
    const name = await createApp()
    const headers = { 'X-HTTP-Method-Override': 'PATCH' }
    const answer = await api('POST', `/apps/${name}`, { headers, body: { maintenance: true } })
    expect(answer.body).toMatchObject({ name, maintenance: true })
  })

  test('requests are counted off an allowance, asking for it is free', async () => {
    const first = Number((await api('GET', '/account')).headers['ratelimit-remaining'])
    const second = Number((await api('GET', '/account')).headers['ratelimit-remaining'])
    expect(first).toBeLessThan(4_500)
    expect(second).toBeLessThanOrEqual(first)
    const { body } = await api('GET', '/account/rate-limits')
    expect(body).toEqual({ remaining: second })
  })
})

describe('lists', () => {
  let own: typeof api

  beforeAll(async () => {
    own = apiClient(base, (await createAccount(engines)).token)
  })

  test('are cut to the range, and continued by Next-Range until there is no more', async () => {
    const made = [await createApp(own), await createApp(own), await createApp(own)]
    const first = await own('GET', '/apps', { headers: { Range: 'name ..; max=2' } })
    expect(first.status).toBe(206)
    expect(first.headers['accept-ranges']).toBe('id, name')
    const [a, b] = names(first)
    expect(first.headers['content-range']).toBe(`name ${String(a)}..${String(b)}`)
    const headers = { Range: String(first.headers['next-range']) }
    const rest = await own('GET', '/apps', { headers })
    expect(rest.status).toBe(200)
    expect(rest.headers['next-range']).toBeUndefined()
    expect([...names(first), ...names(rest)]).toEqual(made.toSorted())
  })

  test('an empty Range means none, a wrong one is refused', async () => {
    const [whole, empty] = [
      await own('GET', '/apps'),
      await own('GET', '/apps', { headers: { Range: '' } }),
    ]
    expect([empty.status, empty.text]).toEqual([200, whole.text])
    const wrong = await own('GET', '/apps', { headers: { Range: 'bytes=0-9' } })
    expect(wrong.status).toBe(416)
    expect(wrong.body).toMatchObject({ id: 'requested_range_not_satisfiable' })
  })

  test('releases come newest first when asked, in pages, and by their bounds', async () => {
    const app = await createApp(own)
    for (const value of ['1', '2', '3'])
      await own('PATCH', `/apps/${app}/config-vars`, { body: { A: value } })
    const versions = async (range: string): Promise<unknown> => {
      const { status, headers, body } = await own('GET', `/apps/${app}/releases`, {
        headers: { Range: range },
      })
      const list = (body as { version: number }[]).map(({ version }) => version)
      return [status, list, headers['next-range']]
    }
    const newest = [206, [5], 'version ]5..; max=1, order=desc']
    expect(await versions('version ..; order=desc,max=1')).toEqual(newest)
    expect(await versions('version ]5..; max=1, order=desc')).toEqual([
      206,
      [4],
      'version ]4..; max=1, order=desc',
    ])
    expect(await versions('version ..; max=15, order=desc')).toEqual([
      200,
      [5, 4, 3, 2, 1],
      undefined,
    ])
    expect(await versions('')).toEqual([200, [1, 2, 3, 4, 5], undefined])
    expect(await versions('version 2..4[')).toEqual([200, [2, 3], undefined])
    expect(await versions('version ]1..; order=desc')).toEqual([200, [], undefined])
    expect(await versions('id ..; max=1000')).toEqual([200, [1, 2, 3, 4, 5], undefined])
    const wrong = { headers: { Range: 'version a..' } }
    expect((await own('GET', `/apps/${app}/releases`, wrong)).status).toBe(416)
  })
})

describe('logging in', () => {
  const logIn = (email: string, password: string): Promise<HttpAnswer> => {
    const basic = Buffer.from(`${email}:${password}`).toString('base64')
    return http('POST', `${base}/oauth/authorizations`, {
      headers: { ...version3, Authorization: `Basic ${basic}` },
      body: { description: 'CLI', expires_in: 3_600, scope: ['global'] },
    })
  }
  const tokenOf = (answer: HttpAnswer): string =>
    (field(answer, 'access_token') as { token: string }).token

  test('gives a token once, which can be revoked', async () => {
    const answer = await logIn(ada.email, ada.password)
    expect(answer.status).toBe(201)
    expect(answer.body).toMatchObject({
      user: { email: ada.email },
      access_token: { expires_in: 3_600 },
    })
    const token = tokenOf(answer)
    const client = apiClient(base, token)
    expect(field(await client('GET', '/account'), 'email')).toBe(ada.email)
    const seenByOther = await api('GET', '/oauth/authorizations')
    expect(seenByOther.text).not.toContain(token)
    expect(seenByOther.text).toContain(`HRKU-**********${token.slice(-4)}`)
    expect((await client('GET', '/oauth/authorizations')).text).toContain(token)

    expect((await client('DELETE', '/oauth/sessions/~')).body).toMatchObject({
      id: 'not_found',
      resource: 'session',
    })
    expect((await client('GET', '/oauth/authorizations/~')).body).toMatchObject({
      id: 'not_found',
      resource: 'authorization',
    })
    const id = String(field(answer, 'id'))
    expect((await client('DELETE', `/oauth/authorizations/${id}`)).status).toBe(200)
    expect((await client('GET', '/account')).status).toBe(401)
  })

  test('a token that could do less than its account cannot be had', async () => {
    const answer = await api('POST', '/oauth/authorizations', { body: { scope: ['read'] } })
    expect(answer.body).toMatchObject({ id: 'invalid_params' })
    const whole = await api('POST', '/oauth/authorizations', { body: { description: 'CI' } })
    expect(whole.body).toMatchObject({ scope: ['global'], access_token: { expires_in: null } })
  })

  test('stops being answered when it has failed too often, for that address only', async () => {
    for (let tries = 0; tries < 10; tries++) {
      const answer = await logIn(ada.email, 'wrong')
      expect(answer.body).toEqual({
        id: 'unauthorized',
        message: 'Invalid credentials provided.',
      })
    }
    expect((await logIn(ada.email, ada.password)).body).toMatchObject({ id: 'rate_limit' })
    const other = await createAccount(engines)
    expect((await logIn(other.email, other.password)).status).toBe(201)
  })
})

test('a collaborator finds the app among his own, with its owner', async () => {
  const bob = await createAccount(engines)
  const shared = await createApp()
  await api('POST', `/apps/${shared}/collaborators`, { body: { user: bob.email } })
  for (const path of ['/apps', '/users/~/apps']) {
    const { body } = await apiClient(base, bob.token)('GET', path)
    expect(body).toMatchObject([{ name: shared, owner: { email: ada.email } }])
  }
})

describe("others' apps", () => {
  let bob: typeof api
  let theirs: string

  beforeAll(async () => {
    theirs = await createApp()
    bob = apiClient(base, (await createAccount(engines)).token)
  })

  test.each([
    ['GET', ''],
    ['PATCH', ''],
    ['DELETE', ''],
    ['GET', '/config-vars'],
    ['PATCH', '/config-vars'],
    ['GET', '/releases'],
    ['GET', '/releases/1/config-vars'],
    ['GET', '/collaborators'],
    ['GET', '/addons'],
    ['GET', '/addon-attachments'],
    ['GET', '/log-drains'],
    ['POST', '/log-drains/x/actions/replay'],
    ['GET', '/log-tokens'],
    ['POST', '/log-tokens'],
    ['POST', '/log-sessions'],
    ['GET', '/dynos'],
  ])('%s /apps/theirs%s is not found', async (method, path) => {
    const body = method === 'GET' ? undefined : {}
    const answer = await bob(method, `/apps/${theirs}${path}`, { body })
    expect(answer.status).toBe(404)
    expect(answer.body).toMatchObject({ id: 'not_found', resource: 'app' })
  })
})

test('with logplex and broker away only their routes fail, and say so', async () => {
  const app = await createApp()
  const drains = await api('GET', `/apps/${app}/log-drains`)
  expect([drains.status, field(drains, 'id')]).toEqual([503, 'unavailable'])
  const addons = await api('GET', `/apps/${app}/addons`)
  expect(addons.status).toBe(503)
  expect((await api('GET', `/apps/${app}/config-vars`)).status).toBe(200)
  expect((await http('GET', `${base}/health`)).body).toEqual({ status: 'ok' })
  expect((await http('GET', `${base}/api/v4/current-status`)).body).toMatchObject({
    status: [
      { system: 'Apps', status: 'green' },
      { system: 'Add-ons', status: 'red' },
      { system: 'Logs', status: 'red' },
      { system: 'Webhooks', status: 'red' },
    ],
  })
})
