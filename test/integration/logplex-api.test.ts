import type { NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { newId, type AppId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient, type RpcClient } from '#lib/rpc.ts'
import { AppsService } from '#proto/apps/v1/apps_pb.ts'
import { LogplexService } from '#proto/logplex/v1/logplex_pb.ts'
import { natsUrl } from '../../local-platform/service-env.ts'
import { openTestLog, storedFrames, type TestLog } from '../support/logs.ts'
import { startService, type ServiceProcess } from '../support/services.ts'

const engines = inject('engines')
const { layout, credentials } = engines
const logsUrl = `http://127.0.0.1:${layout.ports.logs}`
const uuid = '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'
const aToken = expect.stringMatching(new RegExp(`^t\\.${uuid}$`))
const aDrainToken = expect.stringMatching(new RegExp(`^d\\.${uuid}$`))
const aNumber = expect.any(Number)

const authKey = 'K'.repeat(40)

let logplex: ServiceProcess
let nats: NatsConnection
let rpc: RpcClient<typeof LogplexService>
let testLog: TestLog
let authorization: string

beforeAll(async () => {
  logplex = await startService('logplex', engines, { PLEXUS_LOGPLEX_AUTH_KEY: authKey })
  nats = await connectNats(natsUrl(layout, credentials, 'operator'), 'test', silentLog)
  rpc = rpcClient(nats, 'logplex', LogplexService)
  testLog = await openTestLog(engines)
  const made = await rpc.createCredential({ name: 'api', permissions: ['full_api'] })
  authorization = basic(made)
})

afterAll(async () => {
  await testLog.close()
  await nats.close()
  await logplex.stop()
})

const basic = ({ id, password }: { id: string; password: string }): string =>
  `Basic ${Buffer.from(`${id}:${password}`).toString('base64')}`

async function ask(method: string, path: string, body?: unknown, headers = {}) {
  const response = await fetch(`${logsUrl}${path}`, {
    method,
    headers: {
      authorization,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json') && text !== ''
  const read: unknown = isJson ? JSON.parse(text) : text
  return { status: response.status, body: read, headers: response.headers }
}

/** Status and body. */
async function answer(method: string, path: string, body?: unknown, headers = {}) {
  const { status, body: read } = await ask(method, path, body, headers)
  return [status, read]
}

async function newChannel(): Promise<AppId> {
  const appId = newId<AppId>()
  expect((await ask('PUT', `/v3/channels/${appId}`, { tokens: ['app'] })).status).toBe(201)
  return appId
}

describe('v3', () => {
  test('who may not is told so, and a wrong method, type or payload', async () => {
    const path = `/v3/channels/${newId()}`
    const { status, body, headers } = await ask('GET', path, undefined, { authorization: '' })
    expect([status, body]).toEqual([401, 'Not Authorized'])
    expect(headers.get('www-authenticate')).toBe('Basic realm=Logplex')
    const writer = await rpc.createCredential({ name: 'writer', permissions: ['any_channel'] })
    expect(await answer('GET', path, undefined, { authorization: basic(writer) })).toEqual([
      401,
      'Not Authorized',
    ])
    expect((await ask('POST', path, {})).status).toBe(405)
    const charset = { 'content-type': 'application/json; charset=utf-8' }
    expect((await ask('PUT', path, {}, charset)).status).toBe(415)
    for (const wrong of ['{', '[]', { tokens: 'app' }, { tokens: [1] }, { tokens: ['two words'] }])
      expect(await answer('PUT', path, wrong)).toEqual([400, { error: 'invalid payload' }])
    expect(
      (await ask('GET', path, undefined, { 'request-id': 'mine' })).headers.get('request-id'),
    ).toBe('mine')
    expect(await answer('GET', '/v3/healthcheck', undefined, { authorization: '' })).toEqual([
      200,
      'OK',
    ])
  })

  test('the operator’s key may what full_api may, and cannot write lines', async () => {
    const appId = newId<AppId>()
    const key = { authorization: `Basic ${authKey}` }
    expect((await ask('PUT', `/v3/channels/${appId}`, { tokens: ['app'] }, key)).status).toBe(201)
    const wish = { channel_id: appId }
    expect((await ask('POST', '/v2/sessions', wish, key)).status).toBe(201)
    const encoded = basic({ id: '', password: authKey })
    for (const wrong of [
      `Basic ${authKey}x`,
      `Basic ${authKey.slice(1)}`,
      `Bearer ${authKey}`,
      encoded,
    ])
      expect(
        (await ask('GET', `/v3/channels/${appId}`, undefined, { authorization: wrong })).status,
      ).toBe(401)
    const lines = { ...key, 'content-type': 'application/logplex-1' }
    expect((await ask('POST', '/logs', frameOf('t.x', 'x'), lines)).status).toBe(401)
  })

  test('a channel is made, changed, shown and deleted', async () => {
    const appId = newId<AppId>()
    const path = `/v3/channels/${appId}`
    expect(await answer('GET', path)).toEqual([404, { error: 'Not Found' }])
    expect(await answer('PUT', path, {})).toEqual([201, { channel: appId }])
    const made = await ask('PUT', path, { tokens: ['app', 'heroku'] })
    const body = { channel: appId, tokens: { app: aToken, heroku: aToken } }
    expect([made.status, made.body]).toEqual([200, body])
    const { tokens: before } = made.body as { tokens: Record<string, string> }
    // Kept, added and removed.
    const changed = await answer('PUT', path, { tokens: ['app', 'other'] })
    const tokens = { app: before['app'], other: aToken }
    expect(changed).toEqual([200, { channel: appId, tokens }])
    expect(await answer('PUT', path, {})).toEqual([200, { channel: appId, tokens }])
    expect(await answer('PUT', path, { tokens: [] })).toEqual([200, { channel: appId }])
    const named = `/v3/channels/app-${appId}`
    expect(await answer('GET', named)).toEqual([200, { channel: `app-${appId}` }])
    expect(await answer('DELETE', path)).toEqual([204, ''])
    expect((await ask('DELETE', path)).status).toBe(404)
    expect((await ask('GET', path)).status).toBe(404)
  })

  test('an app’s name stands for its uuid', async () => {
    const apps = await startService('apps', engines)
    const asOperator = rpcClient(nats, 'apps', AppsService)
    const email = `${newId()}@example.com`
    const account = await asOperator.putAccount({ email, password: 'a password of the test' })
    const actor = { accountId: account.id, email }
    const { id, name } = await asOperator.createApp({ actor, name: '' })
    const made = await answer('PUT', `/v3/channels/${name}`, { tokens: ['app'] })
    expect(made).toEqual([201, { channel: name, tokens: { app: aToken } }])
    const { tokens } = await rpc.listTokens({ appId: id })
    expect(await answer('GET', `/v3/channels/${id}`)).toEqual([
      200,
      { channel: id, tokens: { app: tokens[0]?.token } },
    ])
    expect((await ask('PUT', '/v3/channels/no-such-app', {})).status).toBe(404)
    await apps.stop()
  })

  test('a token is added', async () => {
    const path = `/v3/channels/${await newChannel()}/tokens`
    expect(await answer('POST', path, { name: 'x' })).toEqual([200, { name: 'x', token: aToken }])
    for (const wrong of [{}, { name: 1 }, { name: '' }])
      expect(await answer('POST', path, wrong)).toEqual([400, { error: 'invalid payload' }])
    expect((await ask('POST', `/v3/channels/${newId()}/tokens`, { name: 'x' })).status).toBe(404)
  })

  test('drains are reserved, pointed, moved and removed', async () => {
    const appId = await newChannel()
    await testLog.appLog.append(appId, 2, storedFrames('before', 'before'))
    const path = `/v3/channels/${appId}/drains`
    const { status, body, headers } = await ask('POST', path, {})
    const { id, token } = body as { id: string; token: string }
    expect([status, body]).toEqual([201, { id, token: aDrainToken }])
    expect(headers.get('location')).toBe(`${logsUrl}${path}/${id}`)
    // Nobody else sees it until it leads somewhere.
    expect((await rpc.listDrains({ appId })).drains).toEqual([])
    expect((await ask('GET', `/v3/channels/${appId}`)).body).toMatchObject({
      drains: [{ id, token }],
    })
    const url = 'http://127.0.0.1:1/a'
    expect(await answer('PUT', `${path}/${id}`, { url })).toEqual([200, { id, token, url }])
    const { drains } = await rpc.listDrains({ appId })
    expect(drains).toMatchObject([{ id, token, url, state: { received: 0n, pending: 0n } }])
    expect(await answer('POST', path, { url })).toEqual([409, { error: 'already exists' }])
    const other = await ask('POST', path, { url: 'http://127.0.0.1:1/b' })
    expect(other.body).toEqual({
      id: expect.any(String),
      token: aDrainToken,
      url: 'http://127.0.0.1:1/b',
    })
    const taken = await answer('PUT', `${path}/${id}`, { url: 'http://127.0.0.1:1/b' })
    expect(taken).toEqual([409, { error: 'already exists' }])
    expect((await ask('PUT', `${path}/${id}`, { url: 'ftp://x' })).status).toBe(400)
    expect((await ask('PUT', `${path}/${id}`, {})).status).toBe(400)
    expect((await ask('PUT', `${path}/${newId()}`, { url })).status).toBe(404)
    for (let at = 0; at < 3; at++) expect((await ask('POST', path, {})).status).toBe(201)
    expect(await answer('POST', path, {})).toEqual([
      422,
      { error: 'maximum number of drains reached' },
    ])
    expect(await answer('DELETE', `${path}/${id}`)).toEqual([204, ''])
    expect((await ask('DELETE', `${path}/${id}`)).status).toBe(404)
    expect((await ask('POST', `/v3/channels/${newId()}/drains`, {})).status).toBe(404)
  })

  test('a session shows what it was made for', async () => {
    const appId = await newChannel()
    await testLog.appLog.append(appId, 3, storedFrames('one', 'two', 'three'))
    const { status, body, headers } = await ask('POST', '/v3/sessions', {
      channel_id: appId,
      num: '2',
    })
    const { url } = body as { url: string }
    expect([status, headers.get('location')]).toEqual([201, url])
    const shown = await fetch(url)
    expect((await shown.text()).match(/(one|two|three)/g)).toEqual(['two', 'three'])
    expect(await answer('POST', '/v3/sessions', {})).toEqual([400, { error: 'invalid payload' }])
    expect(await answer('POST', '/v3/sessions', { channel_id: newId() })).toEqual([
      422,
      { error: 'channel not found' },
    ])
  })

  test('the log of a channel comes as frames, as Logplex would write them', async () => {
    const appId = newId<AppId>()
    const { token } = await rpc.ensureToken({ appId, name: 'heroku' })
    const message =
      'at=info code=H81 desc="Blank app" method=GET path="/"' +
      ' host=direwolf-d99daa9eda.staging.herokuappdev.com' +
      ' request_id=56a11b1c-1f68-4658-80e4-8213a09a81c2 fwd="54.163.94.153"' +
      ' dyno= connect= service= status=502 bytes= protocol=https'
    const time = '2018-03-02T23:22:34.901697+00:00'
    const input = `<158>1 ${time} hermes.537018@staging.herokudev.com ${token} router - - ${message}`
    const frames = [`${input.length} ${input}`, frameOf(token, 'with newline\n')]
    const posted = await fetch(`${logsUrl}/logs`, {
      method: 'POST',
      body: frames.join(''),
      headers: {
        authorization: basic({ id: 'token', password: token }),
        'content-type': 'application/logplex-1',
      },
    })
    expect(posted.status).toBe(204)
    const path = `/v3/channels/${appId}/logs`
    const golden = `290 <158>1 ${time} host heroku router - ${message}\n`
    const { status, body, headers } = await ask('GET', path)
    expect([status, headers.get('content-type'), headers.get('logplex-msg-count')]).toEqual([
      200,
      'application/logplex-1',
      '2',
    ])
    const second = '61 <190>1 2026-11-21T09:00:00Z host heroku web.1 - with newline\n'
    expect(body).toBe(golden + second)
    expect((await ask('GET', `${path}?num=1`)).body).toBe(second)
    expect((await ask('GET', `${path}?num=x`)).body).toBe(golden + second)
    expect((await ask('GET', `${path}?num=100000`)).body).toBe(golden + second)
    expect((await ask('GET', path, undefined, { authorization: '' })).status).toBe(401)
    expect((await ask('GET', `/v3/channels/${newId()}/logs`)).status).toBe(404)
  })
})

function frameOf(token: string, text: string): string {
  const body = `<190>1 2026-11-21T09:00:00Z host ${token} web.1 - - ${text}`
  return `${body.length} ${body}`
}

describe('v1 and v2', () => {
  test('who may not is told so', async () => {
    const { status, body, headers } = await ask('POST', '/channels', {}, { authorization: 'x' })
    expect([status, body, headers.get('www-authenticate')]).toEqual([401, 'Not Authorized', null])
  })

  test('a channel has a number, tokens and drains, and is deleted', async () => {
    expect(await answer('POST', '/channels', { name: 1 })).toEqual([
      400,
      'Channel name must be a string.',
    ])
    const made = await ask('POST', '/channels', { name: 'x', tokens: ['app'] })
    expect([made.status, made.body]).toEqual([
      201,
      { channel_id: aNumber, tokens: { app: aToken } },
    ])
    const { channel_id: id, tokens } = made.body as {
      channel_id: number
      tokens: Record<string, string>
    }
    expect(await answer('POST', `/channels/${id}/token`, { name: 'web' })).toEqual([201, aToken])
    expect(await answer('POST', `/channels/${id}/token`, {})).toEqual([
      400,
      "'name' post param missing",
    ])
    const added = await answer('POST', `/v2/channels/${id}/tokens`, { name: 'web' })
    expect(added).toEqual([201, { name: 'web', token: aToken }])
    expect(await answer('POST', `/v2/channels/${id}/tokens`, {})).toEqual([
      422,
      { error: 'NAME is a required field' },
    ])
    const url = 'http://127.0.0.1:1/v2'
    const reserved = await ask('POST', `/channels/${id}/drains/tokens`)
    expect([reserved.status, reserved.body]).toEqual([
      201,
      { id: aNumber, token: aDrainToken, msg: 'Successfully reserved drain token' },
    ])
    const { id: drain, token } = reserved.body as { id: number; token: string }
    expect((await ask('GET', `/v2/channels/${id}`)).body).toMatchObject({ drains: [] })
    const drains = `/v2/channels/${id}/drains`
    expect(await answer('POST', `${drains}/${drain}`, { url })).toEqual([
      201,
      { id: drain, token, url },
    ])
    expect(await answer('POST', drains, { url })).toEqual([409, { error: 'Already exists' }])
    expect(await answer('POST', drains, { host: '127.0.0.1', port: 1 })).toEqual([
      201,
      { id: aNumber, token: aDrainToken, url: 'syslog://127.0.0.1:1' },
    ])
    expect(await answer('POST', drains, { url: 'ftp://x' })).toEqual([
      422,
      { error: expect.stringMatching(/^Invalid drain destination: /) },
    ])
    const doomed = (await ask('POST', `/channels/${id}/drains/tokens`)).body as { id: number }
    expect((await ask('POST', `${drains}/${doomed.id}`, { url: 'ftp://x' })).status).toBe(422)
    expect(await answer('POST', `${drains}/${doomed.id}`, { url })).toEqual([404, 'Unknown drain.'])
    expect(await answer('POST', '/v2/channels/0/drains', { url })).toEqual([404, 'No such channel'])
    expect(await answer('GET', `/v2/channels/${id}`)).toEqual([
      200,
      {
        channel_id: id,
        tokens: [
          { name: 'app', token: tokens['app'] },
          { name: 'web', token: aToken },
        ],
        drains: [
          { id: drain, token, url },
          { id: aNumber, token: aDrainToken, url: 'syslog://127.0.0.1:1' },
        ],
      },
    ])
    expect(await answer('GET', `/channels/${id}/info`)).toEqual([
      200,
      {
        channel_id: id,
        tokens: { app: tokens['app'], web: aToken },
        drains: [url, 'syslog://127.0.0.1:1'],
      },
    ])
    expect(await answer('DELETE', `${drains}/${drain}`)).toEqual([200, ''])
    expect(await answer('DELETE', `${drains}/${drain}`)).toEqual([404, { error: 'Not found' }])
    expect(await answer('GET', `/channels/${id}/drains`)).toEqual([501, 'V1 Drain API Deprecated.'])
    expect(await answer('DELETE', `/v2/channels/${id}`)).toEqual([200, ''])
    expect(await answer('GET', `/v2/channels/${id}`)).toEqual([404, { error: 'Not Found' }])
    expect(await answer('DELETE', `/channels/${id}`)).toEqual([404, 'Not found'])
  })

  test('sessions follow or not, and a canary never does', async () => {
    const appId = await newChannel()
    await testLog.appLog.append(appId, 2, storedFrames('one', 'two'))
    const { status, body } = await ask('POST', '/v2/canary-sessions', {
      channel_id: appId,
      tail: 'x',
      num: '1',
    })
    const { url } = body as { url: string }
    expect([status, url]).toEqual([
      201,
      expect.stringMatching(new RegExp(`^/v2/canary-fetch/${uuid}$`)),
    ])
    expect(await (await fetch(`${logsUrl}${url}`)).text()).toMatch(/^\S+ app\[web\.1\]: two\n$/)
    const aSession = expect.stringMatching(new RegExp(`^${logsUrl}/sessions/${uuid}$`))
    expect(await answer('POST', '/v2/sessions', { channel_id: appId })).toEqual([
      201,
      { url: aSession },
    ])
    expect(await answer('POST', '/sessions', { channel_id: appId })).toEqual([201, aSession])
    expect(await answer('POST', '/sessions', {})).toEqual([400, "'channel_id' missing"])
  })
})
