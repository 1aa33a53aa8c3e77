import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import {
  drainTo,
  numbered,
  openTestDrains,
  postedMessages as messages,
  settled,
  type TestDrains,
} from '../../../test/support/log-drains.ts'
import { keptMessages } from '../../../test/support/logs.ts'
import { readCursor } from './drain-cursor.ts'

let on: TestDrains

beforeAll(async () => {
  on = await openTestDrains(inject('engines'))
})

afterEach(() => on.closeAll())

afterAll(() => on.log.close())

test('lines are posted with the headers, credentials and frames of Logplex', async () => {
  const target = await on.receiver()
  const drain = drainTo(target.url.replace('//', '//us%40er:pa%3Ass@').concat('?a=b'))
  await on.append(drain, ['one', 'two\n'])
  const drains = await on.start([drain])
  await eventually(() => expect(target.posts).toHaveLength(1))
  expect(target.posts[0]).toMatchObject({
    path: '/logs?a=b',
    headers: {
      'content-type': 'application/logplex-1',
      'logplex-msg-count': '2',
      'logplex-drain-token': drain.token,
      'logplex-frame-id': expect.stringMatching(/^[0-9A-F]{32}$/),
      'user-agent': expect.stringMatching(/^Logplex\/v\d+/),
      authorization: `Basic ${Buffer.from('us@er:pa:ss').toString('base64')}`,
    },
    frames: [
      '<190>1 2026-11-21T10:11:12.123456+00:00 host app web.1 - one',
      '<190>1 2026-11-21T10:11:12.123456+00:00 host app web.1 - two\n',
    ],
  })
  await on.append(drain, ['three'])
  await eventually(() => expect(target.posts).toHaveLength(2))
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({
      received: 3,
      delivered: 3,
      dropped: 0,
      ...settled,
    }),
  )
})

test('a drain begins with its first line, and another drain of the app with its own', async () => {
  const target = await on.receiver()
  const drain = { ...drainTo(target.url), firstLine: 3 }
  await on.append(drain, numbered(1, 4))
  const drains = await on.start([drain])
  await eventually(() => expect(messages(target.posts)).toEqual(['n3', 'n4']))
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({ received: 2, delivered: 2 }),
  )
})

test('what fails is tried again under the same frame id until it is accepted, nothing twice', async () => {
  const target = await on.receiver()
  target.answers = [500, 'reset', 503, 301, 429]
  const drain = drainTo(target.url)
  await on.append(drain, numbered(1, 3))
  const drains = await on.start([drain])
  await eventually(() => expect(target.posts.length).toBeGreaterThan(1))
  await on.append(drain, numbered(4, 6))
  await eventually(() => expect(messages(target.posts.slice(5))).toEqual(numbered(1, 6)))
  const ids = target.posts.map(({ headers }) => headers['logplex-frame-id'])
  expect(new Set(ids.slice(0, 6)).size).toBe(1)
  expect(ids[6]).not.toBe(ids[5])
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({
      received: 6,
      delivered: 6,
      dropped: 0,
      ...settled,
    }),
  )
})

test('Retry-After is honoured, and what went wrong can be seen meanwhile', async () => {
  const target = await on.receiver()
  target.answers = [{ status: 429, headers: { 'retry-after': '1' } }]
  const drain = drainTo(target.url)
  await on.append(drain, ['one'])
  const drains = await on.start([drain])
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({
      received: 1,
      delivered: 0,
      pending: 1,
      dropped: 0,
      lastError: 'the receiver answered 429',
    }),
  )
  await eventually(() => expect(target.posts).toHaveLength(2))
  const [first, second] = target.posts.map(({ atMs }) => atMs)
  expect(Number(second) - Number(first)).toBeGreaterThan(950)
})

test('the state says what was answered last, how old what waits is, and why lines were dropped', async () => {
  const target = await on.receiver()
  const drain = drainTo(target.url)
  const drains = await on.start([drain])
  expect(await drains.state(drain)).toEqual({
    ...{ received: 0, delivered: 0, pending: 0, dropped: 0, overflowed: 0, refused: 0 },
    ...{ filtered: 0, replayed: 0, lagSeconds: 0, lastAnswer: undefined, lastError: '' },
  })
  await on.append(drain, ['one'])
  const at = expect.any(Date)
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({
      ...{ delivered: 1, lagSeconds: 0, lastError: '' },
      lastAnswer: { text: 'the receiver answered 204', at },
    }),
  )
  target.otherwise = 503
  const time = new Date(Date.now() - 90_000).toISOString()
  await on.append(drain, ['two', 'three'], { time })
  await eventually(async () =>
    expect((await drains.state(drain)).lastError).toBe('the receiver answered 503'),
  )
  const waiting = await drains.state(drain)
  expect(waiting).toMatchObject({
    pending: 2,
    lastAnswer: { text: 'the receiver answered 503', at },
  })
  expect(waiting.lagSeconds).toBeGreaterThanOrEqual(90)
  expect(waiting.lagSeconds).toBeLessThan(120)
  target.otherwise = 404
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({
      ...{ pending: 0, dropped: expect.any(Number), overflowed: 0, lagSeconds: 0 },
      lastAnswer: { text: 'the receiver answered 404', at },
    }),
  )
  const { dropped, refused } = await drains.state(drain)
  expect([refused, refused >= 2]).toEqual([dropped, true])
})

test('a line without a time has no age', async () => {
  const target = await on.receiver()
  target.otherwise = 503
  const drain = drainTo(target.url)
  const drains = await on.start([drain])
  await on.append(drain, ['one'], { time: '-' })
  expect(await drains.state(drain)).toMatchObject({ pending: 1, lagSeconds: undefined })
})

test('a log that could not be read is read again, though it has not grown since', async () => {
  const target = await on.receiver()
  const drain = drainTo(target.url)
  await on.append(drain, ['one'])
  let failures = 2
  const read: typeof on.log.appLog.read = (...asked) =>
    failures-- > 0 ? Promise.reject(new Error('away')) : on.log.appLog.read(...asked)
  await on.start([drain], { appLog: { ...on.log.appLog, read } })
  await eventually(() => expect(messages(target.posts)).toEqual(['one']))
})

test('a receiver that does not answer is given up after a time', async () => {
  const target = await on.receiver()
  target.answers = ['hang']
  const drain = drainTo(target.url)
  await on.append(drain, ['one'])
  await on.start([drain], { limits: { httpsAnswerMsMax: 300 } })
  await eventually(() => expect(messages(target.posts)).toEqual(['one', 'one']))
})

test('a batch refused for good is dropped, counted and told: in the next batch and in the log', async () => {
  const target = await on.receiver()
  target.answers = [404]
  const drain = drainTo(target.url)
  await on.append(drain, numbered(1, 7), { time: '2026-11-21T01:02:03.000004+00:00' })
  const drains = await on.start([drain])
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({
      dropped: 7,
      lastError: 'the receiver answered 404',
    }),
  )
  await on.append(drain, ['next'])
  await eventually(() => expect(messages(target.posts.slice(1))).toEqual(['next']))
  const [told] = target.posts.flatMap(({ frames }) => frames.filter((text) => text.includes('L10')))
  expect(told).toMatch(
    /heroku logplex - Error L10 \(output buffer overflow\): (drain '\S+' dropped )?7 messages (dropped )?since 2026-11-21T01:02:03\.000004\+00:00\.$/,
  )
  await eventually(async () =>
    expect(await keptMessages(on.log.appLog, drain.appId)).toContain(
      `Error L10 (output buffer overflow): drain '${drain.token}' dropped 7 messages since 2026-11-21T01:02:03.000004+00:00.`,
    ),
  )
  await eventually(async () => {
    const state = await drains.state(drain)
    expect(state).toMatchObject({ received: 9, delivered: 2, dropped: 7, ...settled })
  })
})

test('a receiver that refuses everything does not fill the log with lines about it', async () => {
  const target = await on.receiver()
  target.otherwise = 400
  const drain = drainTo(target.url)
  await on.append(drain, ['one'])
  await on.start([drain], { limits: { tellMsMin: 50 } })
  await eventually(() => expect(target.posts).toHaveLength(2))
  await on.append(drain, ['two'])
  await eventually(async () =>
    expect(
      (await keptMessages(on.log.appLog, drain.appId)).filter((text) => text.includes('L10')),
    ).toHaveLength(2),
  )
  // Both lines about loss were refused too, and none is left to be told.
  await eventually(async () =>
    expect(await readCursor(on.log.redis, drain.id, 1)).toMatchObject({
      refused: 4,
      untold: { count: 0 },
    }),
  )
  expect(await keptMessages(on.log.appLog, drain.appId)).toHaveLength(4)
})

test('the log is told at most once a minute; what is lost meanwhile waits to be told', async () => {
  const target = await on.receiver()
  target.otherwise = 400
  const drain = drainTo(target.url)
  await on.append(drain, ['one'])
  const drains = await on.start([drain])
  const told = async (): Promise<string[]> =>
    (await keptMessages(on.log.appLog, drain.appId)).filter((text) => text.includes('L10'))
  await eventually(async () => expect(await told()).toHaveLength(1))
  await on.append(drain, ['two', 'three'])
  await eventually(async () => expect(await drains.state(drain)).toMatchObject({ dropped: 4 }))
  const { untold } = await readCursor(on.log.redis, drain.id, 1)
  expect(untold).toEqual({ count: 2, since: '2026-11-21T10:11:12.123456+00:00' })
  expect(await told()).toHaveLength(1)
})

test('when the buffer moves past a dead receiver, the L10 count is exact and comes first', async () => {
  const target = await on.receiver()
  target.otherwise = 503
  const drain = drainTo(target.url)
  // The app's log is not told: that would be a line more, which gets lost as well.
  const drains = await on.start([drain], { limits: { tellMsMin: Infinity } })
  await on.append(drain, numbered(1, 100, 400), { time: '2026-11-21T00:00:00.000001+00:00' })
  await eventually(() => expect(target.posts.length).toBeGreaterThan(0))
  for (let from = 101; from < 4_000; from += 100)
    await on.append(drain, numbered(from, from + 99, 400))
  const { oldest } = await on.log.appLog.bounds(drain.appId)
  expect(oldest).toBeGreaterThan(1_000)
  await drains.state(drain)

  target.posts.length = 0
  target.otherwise = 200
  await eventually(async () => expect(await drains.state(drain)).toMatchObject(settled))
  // A batch that was read before the last lines came may hold some that are out of the buffer
  // since: what is lost ends where the first delivered line begins, at the latest at the buffer.
  const delivered = messages(target.posts)
  const firstLine = Number(/^n(\d+)/.exec(String(delivered[0]))?.[1])
  const dropped = firstLine - 1
  expect(dropped).toBeGreaterThan(1_000)
  expect(firstLine).toBeLessThanOrEqual(oldest)
  expect(delivered).toEqual(numbered(firstLine, 4_000, 400))
  const [first] = target.posts.filter(({ frames }) => frames.length > 1)
  expect(first?.frames[0]).toMatch(
    new RegExp(`: ${dropped} messages dropped since 2026-11-21T00:00:00.000001\\+00:00\\.$`),
  )
  expect(first?.headers['logplex-msg-count']).toBe(String(first?.frames.length))
  const state = await drains.state(drain)
  expect(state).toMatchObject({ dropped, received: state.delivered + dropped })
})

test('after a restart a drain goes on where it was', async () => {
  const target = await on.receiver()
  const drain = drainTo(target.url)
  await on.append(drain, numbered(1, 600))
  const first = await on.start([drain])
  await eventually(() => expect(messages(target.posts).length).toBe(600))
  await first.stop()
  await on.append(drain, numbered(601, 700))
  const second = await on.start([drain])
  await eventually(async () => expect(await second.state(drain)).toMatchObject({ delivered: 700 }))
  expect(messages(target.posts)).toEqual(numbered(1, 700))
})

test('when the log was lost the drain goes on with its new lines, and what was stays counted', async () => {
  const target = await on.receiver()
  const drain = drainTo(target.url)
  await on.append(drain, numbered(1, 3))
  const first = await on.start([drain])
  await eventually(async () => expect(await first.state(drain)).toMatchObject({ delivered: 3 }))
  await first.stop()
  const log = `plexus:log:{${drain.appId}}`
  await on.log.redis.del([log, `${log}:meta`, `${log}:sizes`])
  await on.append(drain, numbered(4, 5))
  const second = await on.start([drain])
  expect(await second.state(drain)).toMatchObject({ received: 5 })
  await eventually(async () =>
    expect(await second.state(drain)).toMatchObject({ received: 5, delivered: 5, ...settled }),
  )
  expect(messages(target.posts)).toEqual(numbered(1, 5))
})

test('of two processes one runs a drain, and the other takes it over when that one stops', async () => {
  const target = await on.receiver()
  const drain = drainTo(target.url)
  const one = await on.start([drain])
  const other = await on.start([drain])
  for (let from = 1; from < 400; from += 10) await on.append(drain, numbered(from, from + 9))
  await eventually(() => expect(messages(target.posts)).toEqual(numbered(1, 400)))
  await one.stop()
  await on.append(drain, numbered(401, 410))
  await eventually(() => expect(messages(target.posts)).toEqual(numbered(1, 410)))
  expect(await other.state(drain)).toMatchObject({ received: 410 })
})

test('a process that was paused beyond its lease moves nothing any more', async () => {
  const target = await on.receiver()
  const drain = drainTo(target.url)
  const limits = { leaseMs: 300, tickMs: 60_000, lingerMsMax: 10 }
  const paused = await on.start([drain], { limits })
  await on.append(drain, ['n1'])
  await eventually(async () => expect(await paused.state(drain)).toMatchObject({ delivered: 1 }))
  target.answers = ['hang']
  await on.append(drain, ['n2'])
  await eventually(() => expect(target.posts).toHaveLength(2))
  const other = await on.start([drain])
  await eventually(() => expect(messages(target.posts)).toEqual(['n1', 'n2', 'n2']))
  await eventually(async () => expect(await other.state(drain)).toMatchObject({ delivered: 2 }))
  await on.append(drain, ['n3'])
  await eventually(async () =>
    expect(await other.state(drain)).toMatchObject({ received: 3, delivered: 3 }),
  )
})

test('a removed drain gets nothing more; one whose url changed goes on at the new one', async () => {
  const [before, after] = [await on.receiver(), await on.receiver()]
  const [removed, changed] = [drainTo(before.url), drainTo(before.url)]
  const drains = await on.start([removed, changed])
  await on.append(removed, ['r1'])
  await on.append(changed, ['c1'])
  await eventually(() => expect(messages(before.posts).toSorted()).toEqual(['c1', 'r1']))
  drains.sync([{ ...changed, url: after.url }])
  await eventually(async () => expect(await drains.state(changed)).toMatchObject(settled))
  await on.append(removed, ['r2'])
  await on.append(changed, ['c2'])
  await eventually(() => expect(messages(after.posts)).toEqual(['c2']))
  expect(messages(before.posts)).toHaveLength(2)
})
