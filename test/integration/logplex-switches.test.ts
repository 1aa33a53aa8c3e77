import { connect } from 'node:net'
import type { NatsConnection } from '@nats-io/transport-node'
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import { newId, type AppId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient, type RpcClient } from '#lib/rpc.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { LogplexService } from '#proto/logplex/v1/logplex_pb.ts'
import { natsUrl } from '../../local-platform/service-env.ts'
import { expectBalanced } from '../support/drain-account.ts'
import { eventually } from '../support/eventually.ts'
import { startHttpReceiver } from '../support/log-receivers.ts'
import { keptMessages, openTestLog, storedFrames, type TestLog } from '../support/logs.ts'
import { startSecondLogplex } from '../support/second-logplex.ts'
import { startService, type ServiceProcess } from '../support/services.ts'

const engines = inject('engines')
const { layout, credentials } = engines
const everything = ['tails', 'history', 'drains', 'ingest']
const processes: ServiceProcess[] = []
const urls: string[] = []
const stop = new AbortController()

let nats: NatsConnection
let rpc: RpcClient<typeof LogplexService>
let testLog: TestLog
let api: string
let writer: string

beforeAll(async () => {
  const [one, other] = await Promise.all([
    startService('logplex', engines),
    startSecondLogplex(engines),
  ])
  processes.push(one, other)
  urls.push(`http://127.0.0.1:${layout.ports.logs}`, other.logsUrl)
  nats = await connectNats(natsUrl(layout, credentials, 'operator'), 'test', silentLog)
  rpc = rpcClient(nats, 'logplex', LogplexService)
  testLog = await openTestLog(engines)
  api = basic(await rpc.createCredential({ name: 'api', permissions: ['full_api'] }))
  writer = basic(await rpc.createCredential({ name: 'writer', permissions: ['any_channel'] }))
})

afterEach(async () => {
  await rpc.setSwitches({ on: everything, state: 'normal' })
})

afterAll(async () => {
  stop.abort()
  await testLog.close()
  await nats.close()
  for (const one of processes) await one.stop()
})

const basic = ({ id, password }: { id: string; password: string }): string =>
  `Basic ${Buffer.from(`${id}:${password}`).toString('base64')}`

async function newChannel(): Promise<{ appId: AppId; token: string }> {
  const appId = newId<AppId>()
  return { appId, token: (await rpc.ensureToken({ appId, name: 'app' })).token }
}

function frame(token: string, text: string): string {
  const body = `<190>1 2026-11-21T09:00:00Z host ${token} web.1 - - ${text}`
  return `${body.length} ${body}`
}

/** The status that each process answers with. */
async function post(authorization: string, body: string): Promise<number[]> {
  const headers = { authorization, 'content-type': 'application/logplex-1' }
  const answers = urls.map((url) => fetch(`${url}/logs`, { method: 'POST', body, headers }))
  return (await Promise.all(answers)).map(({ status }) => status)
}

/** Status and body that each process answers with. */
async function ask(method: string, path: string, body?: object): Promise<[number, string][]> {
  const headers = { authorization: api, 'content-type': 'application/json' }
  const request = { method, headers, ...(body && { body: JSON.stringify(body) }) }
  const answers = await Promise.all(urls.map((url) => fetch(`${url}${path}`, request)))
  return Promise.all(
    answers.map(async (one): Promise<[number, string]> => [one.status, await one.text()]),
  )
}

const both = <T>(one: T): T[] => [one, one]

test('what is off for an app is refused or dropped in every process, and nobody else’s', async () => {
  const [off, on] = [await newChannel(), await newChannel()]
  const asOff = basic({ id: 'token', password: off.token })
  const asOn = basic({ id: 'token', password: on.token })
  expect(await rpc.setSwitches({ appId: off.appId, off: ['ingest'] })).toMatchObject({
    appId: off.appId,
    off: ['ingest'],
  })
  await eventually(async () => expect(await post(asOff, '')).toEqual(both(503)))
  expect(await post(asOn, frame('x', '1'))).toEqual(both(204))
  expect(await post(writer, frame(off.token, '2') + frame(on.token, '3'))).toEqual(both(204))
  const socket = connect(layout.ports.syslog, '127.0.0.1')
  await new Promise<void>((done) =>
    socket.end(frame(off.token, '4') + frame(on.token, '5'), () => done()),
  )
  const kept = () => keptMessages(testLog.appLog, on.appId)
  await eventually(async () => expect(await kept()).toContain('5'))
  expect((await kept()).toSorted()).toEqual(['1', '1', '3', '3', '5'])
  expect(await keptMessages(testLog.appLog, off.appId)).toEqual([])
  const { switches } = await rpc.listSwitches({})
  expect(switches).toMatchObject([
    { appId: '', off: [], state: 'normal' },
    { appId: off.appId, off: ['ingest'] },
  ])
  await rpc.setSwitches({ appId: off.appId, on: ['ingest'] })
  await eventually(async () => expect(await post(asOff, '')).toEqual(both(204)))
})

test('drains that are off stand still, and go on where they stood', async () => {
  const { appId, token } = await newChannel()
  const asToken = basic({ id: 'token', password: token })
  const receiver = await startHttpReceiver()
  const { id } = await rpc.createDrain({ appId, url: receiver.url, force: true })
  const got = (): string[] =>
    receiver.posts.flatMap(({ frames }) => frames.map((text) => text.split(' - ').at(-1) ?? ''))
  await post(asToken, frame('x', 'before'))
  await eventually(() => expect(got()).toEqual(both('before')))
  await rpc.setSwitches({ off: ['drains'] })
  const owner = () => testLog.redis.exists(`plexus:drain:{${id}}:owner`)
  await eventually(async () => expect(await owner()).toBe(0))
  await post(asToken, frame('x', 'meanwhile'))
  const state = async () => {
    const drain = await rpc.getDrain({ appId, drain: id })
    return drain.state && expectBalanced(drain.state)
  }
  await eventually(async () => expect(await state()).toMatchObject({ pending: 2n }))
  expect(got()).toEqual(both('before'))
  await rpc.setSwitches({ on: ['drains'] })
  await eventually(() => expect(got()).toEqual([...both('before'), ...both('meanwhile')]))
  await eventually(async () => expect(await state()).toMatchObject({ pending: 0n, dropped: 0n }))
  await receiver.close()
})

test('tails that are off are told so, open ones are ended, and history is left out', async () => {
  const { appId } = await newChannel()
  const write = (text: string) => testLog.appLog.append(appId, 1, storedFrames(text))
  await write('old')
  const open = async (url: string, tail: boolean) => {
    const [[, body] = [0, '']] = await ask('POST', '/v2/sessions', {
      channel_id: appId,
      ...(tail && { tail }),
    })
    const { url: session } = JSON.parse(body) as { url: string }
    const path = new URL(session).pathname
    const answer = await fetch(`${url}${path}`, { signal: stop.signal })
    const seen = { text: '', ended: false, headers: answer.headers }
    void (async () => {
      for await (const bytes of answer.body ?? []) seen.text += Buffer.from(bytes).toString()
      seen.ended = true
    })().catch(() => undefined)
    return seen
  }
  const [url = '', other = ''] = urls
  const before = await open(other, true)
  await eventually(() => expect(before.text).toContain('old'))
  await rpc.setSwitches({ appId, off: ['tails'] })
  await eventually(() => expect(before.ended).toBe(true), 20_000)
  const refused = await open(other, true)
  await eventually(() => expect(refused.ended).toBe(true))
  expect(refused.text).toMatch(
    /^\S+ heroku\[logplex\]: Error L20 \(Tail sessions forbidden\) Tail sessions for this app .*\n$/,
  )
  const shown = await open(other, false)
  await eventually(() => expect(shown.ended).toBe(true))
  expect(shown.text).toContain('old')

  await rpc.setSwitches({ appId, on: ['tails'], off: ['history'] })
  const logs = `/v3/channels/${appId}/logs`
  await eventually(async () => expect(await ask('GET', logs)).toEqual(both([503, ''])))
  const fresh = await open(url, true)
  expect(fresh.headers.get('x-heroku-warning')).toContain('log history discarded')
  // It is new to the stream only once that has begun.
  await eventually(async () => {
    await write('new')
    expect(fresh.text).toContain('new')
  })
  expect(fresh.text).not.toContain('old')

  await rpc.setSwitches({ off: ['tails'] })
  const wish = { channel_id: appId }
  await eventually(async () =>
    expect(await ask('POST', '/v3/sessions', wish)).toEqual(both([503, ''])),
  )
})

test('Logplex’s API has three states', async () => {
  const { appId } = await newChannel()
  const v3 = `/v3/channels/${appId}`
  await rpc.setSwitches({ state: 'read_only' })
  await eventually(async () => expect(await ask('PUT', v3, {})).toEqual(both([503, ''])))
  expect((await ask('GET', v3)).map(([status]) => status)).toEqual(both(200))
  expect(await ask('POST', '/v2/sessions', { channel_id: appId })).toEqual(
    both([503, 'Logplex API temporarily in read-only mode']),
  )
  const canary = await ask('POST', '/v2/canary-sessions', { channel_id: appId })
  expect(canary.map(([status]) => status)).toEqual(both(201))
  await rpc.setSwitches({ state: 'disabled' })
  await eventually(async () => expect(await ask('GET', v3)).toEqual(both([503, ''])))
  expect(await ask('GET', `/v2/channels/${appId}`)).toEqual(
    both([503, 'Service Temporarily Disabled']),
  )
  await rpc.setSwitches({ state: 'normal' })
  await eventually(async () =>
    expect((await ask('GET', v3)).map(([status]) => status)).toEqual(both(200)),
  )
})

test.each([
  [{ off: ['lines'] }],
  [{ off: ['tails'], on: ['tails'] }],
  [{ state: 'broken' }],
  [{ appId: newId(), state: 'disabled' }],
])('%j is refused', async (wish) => {
  await expect(rpc.setSwitches(wish)).rejects.toMatchObject({ code: ErrorCode.INVALID_PARAMS })
})
