import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import { newId, type AppId } from '#lib/ids.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { filterOf } from '../../../test/support/log-filters.ts'
import { storedLines } from '../../../test/support/stored-lines.ts'
import { events, numbered, openTestTails, type TestTails } from '../../../test/support/tails.ts'
import type { AppLog } from '../app-log/app-log.ts'
import { findStart } from './history.ts'

let tails: TestTails

beforeAll(async () => {
  tails = await openTestTails(inject('engines'), { bytesPerAppMax: 200_000 })
})

afterEach(() => tails.closeConnections())

afterAll(() => tails.close())

test('a filtered history is looked for with no more than a batch and a chunk in memory', async () => {
  const appId = newId<AppId>()
  const noise = (): Promise<unknown> => tails.append(appId, numbered(1, 30, 200))
  for (const found of ['a', 'b', 'c', 'd']) {
    for (let chunk = 0; chunk < 5; chunk++) await noise()
    await tails.append(appId, [found], { proc: 'worker.1' })
  }
  const held: number[] = []
  const readBack: AppLog['readBack'] = async (...question) => {
    const reading = await tails.appLog.readBack(...question)
    held.push(reading.chunks.reduce((sum, { frames }) => sum + frames.length, 0))
    return reading
  }
  const filter = filterOf({ dyno: 'worker' })
  const start = (lines: number) =>
    findStart({ ...tails.appLog, readBack }, appId, filter, lines, 20_000)
  expect(await start(1)).toEqual({ from: 604, head: 604 })
  expect(held).toHaveLength(1)
  expect(await start(3)).toEqual({ from: 302, head: 604 })
  expect(await start(4)).toEqual({ from: 151, head: 604 })
  expect(await start(100)).toEqual({ from: 151, head: 604 })
  const chunkBytes = storedLines(numbered(1, 30, 200)).length
  expect(Math.max(...held)).toBeLessThanOrEqual(20_000 + chunkBytes)
  expect(await findStart(tails.appLog, appId, filterOf({ dyno: 'none' }), 9, 20_000)).toEqual({
    from: 605,
    head: 604,
  })
})

test('filters apply before the count: the newest matching lines are found far back', async () => {
  const url = await tails.serve()
  const appId = newId<AppId>()
  await tails.append(appId, numbered(1, 5), { proc: 'worker.1' })
  for (let chunk = 0; chunk < 10; chunk++) await tails.append(appId, numbered(1, 30))
  const tail = await tails.openSse(url + tails.session(appId, { lines: 3, dyno: 'worker' }))
  await eventually(() => expect(events(tail.text)).toEqual(['3 n3', '4 n4', '5 n5']))
  await tails.append(appId, ['router'], { source: 'heroku', proc: 'router' })
  await tails.append(appId, ['live'], { proc: 'worker.2' })
  await eventually(() => expect(events(tail.text).slice(3)).toEqual(['307 live']))
})

test('text and patterns are looked for before the count, and in what is written meanwhile', async () => {
  const url = await tails.serve()
  const appId = newId<AppId>()
  await tails.append(appId, numbered(1, 20))
  for (let chunk = 0; chunk < 10; chunk++) await tails.append(appId, ['at=info', 'at=info'])
  const text = await tails.openSse(url + tails.session(appId, { lines: 3, match: 'n1' }))
  const pattern = await tails.openSse(url + tails.session(appId, { lines: 2, pattern: '^n[3-5]$' }))
  await eventually(() => expect(events(text.text)).toEqual(['17 n17', '18 n18', '19 n19']))
  await eventually(() => expect(events(pattern.text)).toEqual(['4 n4', '5 n5']))
  await tails.append(appId, ['n100', 'N1', 'n5'])
  await eventually(() => expect(events(text.text).slice(3)).toEqual(['41 n100']))
  await eventually(() => expect(events(pattern.text).slice(2)).toEqual(['43 n5']))
})

test('times count before the count, and hold for what is written meanwhile', async () => {
  const url = await tails.serve()
  const appId = newId<AppId>()
  const [early, late] = [{ time: '2026-11-21T09:00:00Z' }, { time: '2026-11-21T11:00:00Z' }]
  const sinceMs = Date.parse('2026-11-21T10:00:00Z')
  await tails.append(appId, numbered(1, 3), early)
  await tails.append(appId, numbered(4, 6), late)
  await tails.append(appId, numbered(7, 9), early)
  const after = await tails.openSse(url + tails.session(appId, { lines: 2, sinceMs }))
  const until = { lines: 4, tail: false, untilMs: sinceMs }
  const before = await tails.openSse(url + tails.session(appId, until))
  await eventually(() => expect(before.ended).toBe(true))
  expect(events(before.text)).toEqual(['3 n3', '7 n7', '8 n8', '9 n9'])
  await eventually(() => expect(events(after.text)).toEqual(['5 n5', '6 n6']))
  await tails.append(appId, ['n10'], early)
  await tails.append(appId, ['n11'], late)
  await eventually(() => expect(events(after.text).slice(2)).toEqual(['11 n11']))
})

test.each([true, false])(
  'a pattern that takes too long ends its tail (%s), which says so',
  async (tail) => {
    const url = await tails.serve({ patternMsMax: 0 })
    const appId = newId<AppId>()
    await tails.append(appId, numbered(1, 3))
    const path = tails.session(appId, { tail, pattern: 'n' })
    // From its history, and from a number on.
    for (const ended of [await tails.openSse(url + path), await tails.openSse(url + path, 1)]) {
      await eventually(() => expect(ended.ended).toBe(true))
      expect(ended.text).toContain(
        'heroku[logplex]: This log session has ended: matching its pattern takes too long.',
      )
    }
    const socket = await tails.follow(url.replace('http', 'ws') + path)
    await eventually(() => expect(socket.code).toBe(1000))
    expect(socket.lines).toHaveLength(1)
  },
)
