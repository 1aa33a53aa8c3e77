import type { NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { newId, type AppId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient, type RpcClient } from '#lib/rpc.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { LogplexService } from '#proto/logplex/v1/logplex_pb.ts'
import { natsUrl } from '../../local-platform/service-env.ts'
import { eventually } from '../support/eventually.ts'
import { keptMessages, openTestLog, type TestLog } from '../support/logs.ts'
import { startSecondLogplex } from '../support/second-logplex.ts'
import { startService, type ServiceProcess } from '../support/services.ts'

const engines = inject('engines')
const processes: ServiceProcess[] = []
const urls: string[] = []
let nats: NatsConnection
let rpc: RpcClient<typeof LogplexService>
let testLog: TestLog

beforeAll(async () => {
  const { layout, credentials } = engines
  const [one, other] = await Promise.all([
    startService('logplex', engines),
    startSecondLogplex(engines),
  ])
  processes.push(one, other)
  urls.push(`http://127.0.0.1:${layout.ports.logs}`, other.logsUrl)
  nats = await connectNats(natsUrl(layout, credentials, 'operator'), 'test', silentLog)
  rpc = rpcClient(nats, 'logplex', LogplexService)
  testLog = await openTestLog(engines)
})

afterAll(async () => {
  await testLog.close()
  await nats.close()
  for (const one of processes) await one.stop()
})

async function post(url: string, login: { id: string; password: string }, body: string) {
  const authorization = `Basic ${Buffer.from(`${login.id}:${login.password}`).toString('base64')}`
  const headers = { authorization, 'content-type': 'application/logplex-1' }
  const response = await fetch(`${url}/logs`, { method: 'POST', body, headers })
  return { status: response.status, text: await response.text() }
}

function frame(token: string, text: string): string {
  const body = `<190>1 2026-11-21T09:00:00Z host ${token} web.1 - - ${text}`
  return `${body.length} ${body}`
}

test('a credential works in every process from the moment that it is made until it is removed', async () => {
  const made = await rpc.createCredential({ name: 'router', permissions: ['any_channel'] })
  expect(made).toMatchObject({ name: 'router', permissions: ['any_channel'] })
  expect(made.id).toMatch(/^[0-9A-F]{32}$/)
  expect(made.password).toMatch(/^[0-9A-F]{64}$/)
  expect(new URL(made.logInputUrl)).toMatchObject({ username: made.id, password: made.password })
  const apps: { appId: AppId; token: string }[] = []
  for (let at = 0; at < 4; at++) {
    const appId = newId<AppId>()
    apps.push({ appId, token: (await rpc.ensureToken({ appId, name: 'heroku' })).token })
  }
  // Of tokens too that the other process has made.
  const body = apps.map(({ token }) => frame(token, 'routed')).join('')
  for (const url of urls) expect(await post(url, made, body)).toEqual({ status: 204, text: '' })
  for (const { appId } of apps)
    expect(await keptMessages(testLog.appLog, appId)).toEqual(['routed', 'routed'])

  const { credentials } = await rpc.listCredentials({})
  expect(credentials.find(({ id }) => id === made.id)).toMatchObject({
    name: 'router',
    password: '',
  })
  expect(await rpc.removeCredential({ id: made.id })).toMatchObject({ name: 'router' })
  for (const url of urls)
    await eventually(async () => expect((await post(url, made, body)).status).toBe(401))
  await expect(rpc.removeCredential({ id: made.id })).rejects.toMatchObject({
    code: ErrorCode.NOT_FOUND,
  })
})

test('one for the API alone may write nowhere', async () => {
  const made = await rpc.createCredential({ name: 'api only', permissions: ['full_api'] })
  expect(made.logInputUrl).toBe('')
  const answer = await post(urls[0] ?? '', made, frame('t.x', 'x'))
  expect(answer).toEqual({
    status: 403,
    text: 'Credential not permitted to write to any channel.',
  })
})

test.each([
  [{ name: '', permissions: ['full_api'] }],
  [{ name: 'a\nb', permissions: ['full_api'] }],
  [{ name: 'x', permissions: [] }],
  [{ name: 'x', permissions: ['full_api', 'root'] }],
])('%j is refused', async (wish) => {
  await expect(rpc.createCredential(wish)).rejects.toMatchObject({
    code: ErrorCode.INVALID_PARAMS,
  })
})

test('none but the operator makes them', async () => {
  const { layout, credentials } = engines
  const apiNats = await connectNats(natsUrl(layout, credentials, 'api'), 'test', silentLog)
  const asApi = rpcClient(apiNats, 'logplex', LogplexService)
  await expect(asApi.listCredentials({})).rejects.toMatchObject({ code: ErrorCode.UNAVAILABLE })
  await apiNats.close()
})
