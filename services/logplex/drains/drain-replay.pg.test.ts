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
import { readCursor } from './drain-cursor.ts'

let on: TestDrains

beforeAll(async () => {
  on = await openTestDrains(inject('engines'))
})

afterEach(() => on.closeAll())

afterAll(() => on.log.close())

test('a drain that has nothing to do has lines once more, and its account says so', async () => {
  const target = await on.receiver()
  const drain = drainTo(target.url)
  await on.append(drain, numbered(1, 10))
  const drains = await on.start([drain])
  await eventually(async () => expect(await drains.state(drain)).toMatchObject({ delivered: 10 }))
  expect(await drains.replay(drain, 1)).toEqual({ from: 1, lines: 10 })
  await eventually(() => expect(messages(target.posts).slice(10)).toEqual(numbered(1, 10)))
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({
      ...{ received: 20, delivered: 20, replayed: 10, dropped: 0, ...settled },
    }),
  )
  // A receiver that knows a batch again by its id is not to take this one for the former.
  const ids = target.posts.map(({ headers }) => headers['logplex-frame-id'])
  expect(new Set(ids).size).toBe(ids.length)
  // What it has not come to is not replayed, and it goes on as before.
  expect(await drains.replay(drain, 11)).toEqual({ from: 11, lines: 0 })
  await on.append(drain, numbered(11, 12))
  await eventually(() => expect(messages(target.posts).slice(20)).toEqual(numbered(11, 12)))
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({ received: 22, replayed: 10, ...settled }),
  )
})

test('a drain that nobody has run yet begins where it is told to', async () => {
  const target = await on.receiver()
  const drain = { ...drainTo(target.url), firstLine: 5 }
  await on.append(drain, numbered(1, 6))
  const drains = await on.start([])
  expect(await drains.replay(drain, 3)).toEqual({ from: 3, lines: 2 })
  drains.sync([drain])
  await eventually(() => expect(messages(target.posts)).toEqual(numbered(3, 6)))
})

test('a batch in flight does not move a cursor that was moved back meanwhile', async () => {
  const target = await on.receiver()
  const drain = drainTo(target.url)
  await on.append(drain, numbered(1, 4))
  const limits = { httpsAnswerMsMax: 500 }
  const drains = await on.start([drain], { limits })
  await eventually(async () => expect(await drains.state(drain)).toMatchObject({ delivered: 4 }))
  target.answers = ['hang']
  await on.append(drain, numbered(5, 6))
  await eventually(() => expect(messages(target.posts)).toEqual(numbered(1, 6)))
  expect(await drains.replay(drain, 2)).toEqual({ from: 2, lines: 3 })
  const seen = await drains.state(drain)
  expect(seen).toMatchObject({ received: 9, delivered: 4, pending: 5, replayed: 3 })
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({ received: 9, delivered: 9, ...settled }),
  )
  expect(messages(target.posts).slice(-5)).toEqual(numbered(2, 6))
})

test('another process goes on at once with a drain whose owner has not come to see it', async () => {
  const target = await on.receiver()
  const drain = drainTo(target.url)
  const stalled = await on.start([drain], { limits: { tickMs: 60_000 } })
  await on.append(drain, numbered(1, 3))
  await eventually(async () => expect(await stalled.state(drain)).toMatchObject({ delivered: 3 }))
  const other = await on.start([drain])
  await other.replay(drain, 1)
  await eventually(() =>
    expect(messages(target.posts)).toEqual([...numbered(1, 3), ...numbered(1, 3)]),
  )
  // The former owner sends what comes next as well, moves nothing, and is out of it then.
  await on.append(drain, ['n4'])
  await eventually(async () =>
    expect(await other.state(drain)).toMatchObject({ received: 7, delivered: 7, ...settled }),
  )
  stalled.sync([drain])
  await on.append(drain, ['n5'])
  await eventually(async () => expect(await other.state(drain)).toMatchObject({ delivered: 8 }))
  expect(messages(target.posts).filter((text) => text === 'n5')).toHaveLength(1)
})

test('an owner whose lease ran out does not take a drain back as it was', async () => {
  const target = await on.receiver()
  const drain = drainTo(target.url)
  const drains = await on.start([drain], { limits: { tickMs: 60_000 } })
  await on.append(drain, numbered(1, 3))
  await eventually(async () => expect(await drains.state(drain)).toMatchObject({ delivered: 3 }))
  await drains.replay(drain, 2)
  expect(await readCursor(on.log.redis, drain.id, 1)).toMatchObject({ next: 2, moves: 1 })
  // Nobody else is there, nothing grows, and its next look is a renewal of its own lease.
  drains.sync([drain])
  await eventually(() => expect(messages(target.posts)).toEqual(['n1', 'n2', 'n3', 'n2', 'n3']))
})
