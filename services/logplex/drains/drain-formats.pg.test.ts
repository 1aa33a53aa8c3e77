import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import {
  drainTo,
  numbered,
  openTestDrains,
  type TestDrains,
} from '../../../test/support/log-drains.ts'
import {
  startJsonReceiver,
  startOtlpCollector,
  startTcpReceiver,
  startUdpReceiver,
} from '../../../test/support/log-receivers.ts'
import { keptMessages } from '../../../test/support/logs.ts'
import { partialSuccess } from '../../../test/support/otlp-logs.ts'

import { readCursor } from './drain-cursor.ts'

const protobuf = { 'content-type': 'application/x-protobuf' }
let on: TestDrains

beforeAll(async () => {
  on = await openTestDrains(inject('engines'))
})

afterEach(() => on.closeAll())

afterAll(() => on.log.close())

async function opened<T extends { close: () => Promise<void> }>(starting: Promise<T>): Promise<T> {
  const receiver = await starting
  on.closing.push(() => receiver.close())
  return receiver
}

const collector = () => opened(startOtlpCollector())
type Collector = Awaited<ReturnType<typeof collector>>

const bodies = ({ posts }: Collector): unknown[] =>
  posts.flatMap(({ logs }) => logs.records.map(({ body }) => body))

test("otlp: a collector gets protobuf at its logs' path, with the drain's own headers", async () => {
  const target = await collector()
  const { origin } = new URL(target.url)
  const drain = {
    ...drainTo(`${origin.replace('//', '//user:pw@')}#format=otlp`),
    headers: { Authorization: 'Bearer secret', 'X-Team': 'ops', 'Content-Type': 'text/plain' },
  }
  await on.append(drain, ['one', 'two\n'])
  const drains = await on.start([drain])
  await eventually(() => expect(bodies(target)).toEqual(['one', 'two']))
  expect(target.posts[0]).toMatchObject({
    path: '/v1/logs',
    headers: {
      'content-type': 'application/x-protobuf',
      'x-team': 'ops',
      authorization: 'Bearer secret',
    },
    logs: { resource: { 'heroku.app.id': drain.appId } },
  })
  await eventually(async () => expect(await drains.state(drain)).toMatchObject({ delivered: 2 }))
  // Other headers are another way to send: the drain goes on with those.
  drains.sync([{ ...drain, headers: { 'x-team': 'dev' } }])
  const basic = `Basic ${Buffer.from('user:pw').toString('base64')}`
  await on.append(drain, ['three'])
  await eventually(() =>
    expect(target.posts.at(-1)).toMatchObject({
      headers: { 'x-team': 'dev', authorization: basic },
      logs: { records: [{ body: 'three' }] },
    }),
  )
})

test('otlp: what a collector rejects of a batch is refused, counted and told with its words', async () => {
  const target = await collector()
  const body = partialSuccess(2, 'too\nold')
  target.answers = [{ status: 200, headers: protobuf, body }]
  const drain = drainTo(`${target.url}#format=otlp`)
  await on.append(drain, numbered(1, 5))
  const drains = await on.start([drain])
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({
      ...{ delivered: 3, refused: 2, overflowed: 0 },
      lastError: 'the receiver rejected 2 lines: too old',
    }),
  )
  await on.append(drain, ['n6'])
  await eventually(() => expect(bodies(target)).toContain('n6'))
  expect(bodies(target).filter((text) => String(text).includes(': 2 messages'))).toHaveLength(1)
  // More than there were is all there were, and what is no answer of OTLP rejects nothing.
  target.answers = [{ status: 200, headers: protobuf, body: partialSuccess(9_999, '') }]
  const seen = await drains.state(drain)
  await on.append(drain, ['n7'])
  await eventually(async () =>
    expect((await drains.state(drain)).refused).toBeGreaterThan(seen.refused),
  )
  target.otherwise = { status: 200, headers: { 'content-type': 'text/plain' }, body }
  await on.append(drain, ['n8'])
  await eventually(async () => {
    const { received, delivered, pending, refused } = await drains.state(drain)
    expect([pending, received]).toEqual([0, delivered + refused])
  })
  expect(bodies(target).filter((text) => text === 'n8')).toHaveLength(1)
})

test('otlp: a collector that rejects everything does not fill the log with lines about it', async () => {
  const target = await collector()
  target.otherwise = { status: 200, headers: protobuf, body: partialSuccess(9_999, 'no') }
  const drain = drainTo(`${target.url}#format=otlp`)
  await on.append(drain, ['one'])
  await on.start([drain], { limits: { tellMsMin: 50 } })
  // The line that tells of it is rejected too, and nobody is to be told of that.
  await eventually(async () =>
    expect(await readCursor(on.log.redis, drain.id, 1)).toMatchObject({
      ...{ refused: 2, untold: { count: 0 } },
    }),
  )
  expect(await keptMessages(on.log.appLog, drain.appId)).toHaveLength(2)
})

test('otlp: 503 with Retry-After comes again as it was, and 400 is refused for good', async () => {
  const target = await collector()
  target.answers = [{ status: 503, headers: { 'retry-after': '1' } }, 200, 400]
  const drain = drainTo(`${target.url}#format=otlp`)
  await on.append(drain, ['one'])
  const drains = await on.start([drain])
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({ delivered: 1, dropped: 0, pending: 0 }),
  )
  const [first, second] = target.posts
  expect(Number(second?.atMs) - Number(first?.atMs)).toBeGreaterThan(950)
  expect(second?.headers['logplex-frame-id']).toBe(first?.headers['logplex-frame-id'])
  await on.append(drain, ['two'])
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({
      ...{ delivered: 1, refused: 1, lastError: 'the receiver answered 400' },
    }),
  )
})

test('json: lines are posted as NDJSON', async () => {
  const target = await opened(startJsonReceiver())
  const drain = drainTo(`${target.url}#format=json`)
  await on.append(drain, ['one', 'two'])
  const drains = await on.start([drain])
  await eventually(async () => expect(await drains.state(drain)).toMatchObject({ delivered: 2 }))
  expect(target.posts[0]).toMatchObject({
    headers: {
      ...{ 'content-type': 'application/x-ndjson', 'logplex-msg-count': '2' },
      'logplex-drain-token': drain.token,
    },
    objects: [
      { app: drain.appId, drain: drain.token, number: 1, message: 'one' },
      { number: 2, message: 'two' },
    ],
  })
})

test('rfc5424: over http, TCP and UDP alike, numbered', async () => {
  const [http, tcp, udp] = [
    await on.receiver(),
    await opened(startTcpReceiver()),
    await opened(startUdpReceiver()),
  ]
  const to = [http, tcp, udp].map(({ url }) => drainTo(`${url}#format=rfc5424`))
  for (const drain of to) await on.append(drain, ['one', 'two\n'])
  await on.start(to)
  const frames = (token = ''): string[] =>
    ['one', 'two'].map(
      (text, index) =>
        `<190>1 2026-11-21T10:11:12.123456+00:00 ${token} app web.1 - [meta sequenceId="${index + 1}"] ${text}`,
    )
  const [overHttp, overTcp, overUdp] = to.map(({ token }) => token)
  await eventually(() => {
    expect(http.posts.flatMap((post) => post.frames)).toEqual(frames(overHttp))
    expect(tcp.frames()).toEqual(frames(overTcp))
    expect(udp.datagrams).toEqual(frames(overUdp))
  })
  expect(http.posts[0]?.headers).toMatchObject({
    ...{ 'content-type': 'application/logplex-1', 'logplex-msg-count': '2' },
  })
})
