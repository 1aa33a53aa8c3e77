import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { jetstream } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import { WebSocket } from 'ws'
import { newId, type AccountId, type AppId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient, type RpcClient } from '#lib/rpc.ts'
import { eventSubject } from '#lib/subjects.ts'
import { EventSchema } from '#proto/events/v1/events_pb.ts'
import { LogplexService } from '#proto/logplex/v1/logplex_pb.ts'
import { natsUrl } from '../../local-platform/service-env.ts'
import { eventually } from '../support/eventually.ts'
import { openTestLog, storedFrames, type TestLog } from '../support/logs.ts'
import { startSecondLogplex } from '../support/second-logplex.ts'
import { startService, type ServiceProcess } from '../support/services.ts'

const engines = inject('engines')
const { layout, credentials } = engines
/** An open stream of a session that was revoked ends within that. */
const endsMsMax = 15_000

let processes: ServiceProcess[]
let otherUrl: string
let apiNats: NatsConnection
let appsNats: NatsConnection
let rpc: RpcClient<typeof LogplexService>
let testLog: TestLog
const closing: (() => void)[] = []

beforeAll(async () => {
  const [one, other] = await Promise.all([
    startService('logplex', engines),
    startSecondLogplex(engines),
  ])
  processes = [one, other]
  otherUrl = other.logsUrl
  apiNats = await connectNats(natsUrl(layout, credentials, 'api'), 'test', silentLog)
  appsNats = await connectNats(natsUrl(layout, credentials, 'apps'), 'test-apps', silentLog)
  rpc = rpcClient(apiNats, 'logplex', LogplexService)
  testLog = await openTestLog(engines)
})

afterEach(() => {
  for (const close of closing.splice(0)) close()
})

afterAll(async () => {
  await testLog.close()
  await apiNats.close()
  await appsNats.close()
  await Promise.all(processes.map((process) => process.stop()))
})

const sessionUrl = async (appId: AppId, accountId: AccountId): Promise<string> =>
  (await rpc.createSession({ appId, accountId, lines: 10, tail: true })).url

const atOther = (url: string): string => new URL(new URL(url).pathname, otherUrl).href

type Stream = { text: string; ended: boolean }

async function openText(url: string, accept: string): Promise<Stream> {
  const stop = new AbortController()
  closing.push(() => stop.abort())
  const answer = await fetch(url, { headers: { accept }, signal: stop.signal })
  expect(answer.status).toBe(200)
  const stream = { text: '', ended: false }
  void (async () => {
    for await (const bytes of answer.body ?? []) stream.text += Buffer.from(bytes).toString()
    stream.ended = true
  })().catch(() => undefined)
  return stream
}

async function openSocket(url: string): Promise<Stream> {
  const socket = new WebSocket(url.replace('http', 'ws'))
  closing.push(() => socket.terminate())
  const stream = { text: '', ended: false }
  socket.on('message', (data: Buffer) => (stream.text += data.toString()))
  socket.on('close', () => (stream.ended = true))
  await new Promise((resolve) => socket.once('open', resolve))
  return stream
}

/** Tails of all three kinds, in both processes. */
const openAll = (url: string): Promise<Stream[]> =>
  Promise.all([
    openText(url, 'text/event-stream'),
    openText(atOther(url), '*/*'),
    openSocket(atOther(url)),
  ])

const tell = (subject: string, fact: NonNullable<MessageInitShape<typeof EventSchema>['fact']>) => {
  const event = create(EventSchema, { id: newId(), time: timestampFromDate(new Date()), fact })
  return jetstream(appsNats).publish(eventSubject(subject), toBinary(EventSchema, event))
}

const write = (appId: AppId, text: string) => testLog.appLog.append(appId, 1, storedFrames(text))

/** Every process says that there is no such session, however it is asked. */
async function expectRefused(url: string): Promise<void> {
  for (const each of [url, atOther(url)]) expect((await fetch(each)).status).toBe(404)
  const socket = new WebSocket(atOther(url).replace('http', 'ws'))
  const error = await new Promise<Error>((resolve) => socket.once('error', resolve))
  expect(error.message).toContain('404')
}

test('tails of a removed collaborator end, and nobody else’s; added again, it makes new ones', async () => {
  const [appId, accountId] = [newId<AppId>(), newId<AccountId>()]
  const url = await sessionUrl(appId, accountId)
  const unopened = await sessionUrl(appId, accountId)
  const own = await openAll(url)
  const others = await openAll(await sessionUrl(appId, newId<AccountId>()))
  await write(appId, 'before')
  for (const stream of [...own, ...others])
    await eventually(() => expect(stream.text).toContain('before'))

  await tell('collaborator_removed', { case: 'collaboratorRemoved', value: { appId, accountId } })
  const again = await openAll(await sessionUrl(appId, accountId))
  await eventually(() => expectRefused(url))
  await expectRefused(unopened)
  await eventually(
    () => expect(own.map(({ ended }) => ended)).toEqual([true, true, true]),
    endsMsMax,
  )
  await write(appId, 'after')
  for (const stream of [...others, ...again])
    await eventually(() => expect(stream.text).toContain('after'))
  expect(own.map(({ text }) => text).join()).not.toContain('after')
  expect([...others, ...again].some(({ ended }) => ended)).toBe(false)
})

test('tails of a destroyed app end', async () => {
  const appId = newId<AppId>()
  const url = await sessionUrl(appId, newId<AccountId>())
  const tails = await openAll(url)
  await tell('app_destroyed', { case: 'appDestroyed', value: { appId, name: 'shop' } })
  await eventually(() => expectRefused(url))
  await eventually(
    () => expect(tails.map(({ ended }) => ended)).toEqual([true, true, true]),
    endsMsMax,
  )
})
