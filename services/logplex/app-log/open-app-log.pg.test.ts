import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { newId, type AppId } from '#lib/ids.ts'
import { eventually } from '../../../test/support/eventually.ts'
import {
  keptMessages,
  linesOf,
  openTestLog,
  storedFrames,
  type TestLog,
} from '../../../test/support/logs.ts'
import {
  appendsBytesMax,
  appendsPerCallMax,
  placedBytesMin,
  postsKeptMax,
  postsKeptSeconds,
} from '../limits.ts'
import type { PostPart } from './app-log.ts'
import { appendLogs, misplaced, readLog, type BatchAppend } from './log-calls.ts'

const engines = inject('engines')
let one: TestLog
let other: TestLog

beforeAll(async () => {
  one = await openTestLog(engines)
  other = await openTestLog(engines)
})

afterAll(async () => {
  await one.close()
  await other.close()
})

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => `line ${from + index}`)

test('lines get numbers from 1 on, and are read from any number in chunks', async () => {
  const appId = newId<AppId>()
  expect(await one.appLog.bounds(appId)).toEqual({ oldest: 1, head: 0 })
  expect((await one.appLog.append(appId, 2, storedFrames('a', 'b'))).first).toBe(1)
  expect((await one.appLog.append(appId, 1, storedFrames('c'))).first).toBe(3)

  const all = await one.appLog.read(appId, 1, 1_000_000)
  expect(linesOf(all.chunks)).toEqual(['1 app[web.1]: a', '2 app[web.1]: b', '3 app[web.1]: c'])
  expect(all.bounds).toEqual({ oldest: 1, head: 3 })
  expect((await one.appLog.read(appId, 2, 1_000_000)).chunks[0]?.first).toBe(1)
  expect((await one.appLog.read(appId, 3, 1_000_000)).chunks[0]?.first).toBe(3)
  expect((await one.appLog.read(appId, 4, 1_000_000)).chunks).toEqual([])
})

test('a reading has as many bytes as are wanted, from its first line on', async () => {
  const appId = newId<AppId>()
  for (let at = 1; at <= 20; at++) await one.appLog.append(appId, 1, storedFrames(`line ${at}`))
  const size = storedFrames('line 1').length
  expect(linesOf((await one.appLog.read(appId, 1, 1)).chunks)).toHaveLength(1)
  expect(linesOf((await one.appLog.read(appId, 1, 3 * size)).chunks)).toHaveLength(3)
  await one.appLog.append(appId, 2, storedFrames('line 21', 'line 22'))
  await one.appLog.append(appId, 1, storedFrames('line 23'))
  expect(linesOf((await one.appLog.read(appId, 21, size)).chunks)).toHaveLength(2)
  // What is in front of it in its chunk does not count.
  expect(linesOf((await one.appLog.read(appId, 22, size)).chunks)).toHaveLength(3)
})

test('a log is read backwards from its newest line to its oldest, within a byte limit', async () => {
  const appId = newId<AppId>()
  expect((await one.appLog.readBack(appId, Infinity, 1_000)).chunks).toEqual([])
  for (let at = 0; at < 20; at++)
    await one.appLog.append(appId, 2, storedFrames(`line ${2 * at + 1}`, `line ${2 * at + 2}`))
  const size = storedFrames('line 39', 'line 40').length
  const newest = await one.appLog.readBack(appId, Infinity, 2 * size)
  expect(linesOf(newest.chunks)).toEqual(
    [37, 38, 39, 40].map((at) => `${at} app[web.1]: line ${at}`),
  )
  expect(newest.bounds).toEqual({ oldest: 1, head: 40 })
  const lines: string[] = []
  let before = Infinity
  for (;;) {
    const { chunks } = await one.appLog.readBack(appId, before, 11 * size)
    expect(chunks.length).toBeLessThanOrEqual(12)
    if (!chunks[0]) break
    lines.unshift(...linesOf(chunks))
    before = chunks[0].first
  }
  expect(lines).toEqual(numbered(1, 40).map((text, at) => `${at + 1} app[web.1]: ${text}`))
  expect(linesOf((await one.appLog.readBack(appId, 5, 1)).chunks)[0]).toContain('line 3')
})

test('two processes appending at once share one run of numbers without a gap', async () => {
  const appId = newId<AppId>()
  const firsts = await Promise.all(
    numbered(1, 100).map((text, at) =>
      (at % 2 === 0 ? one : other).appLog.append(appId, 2, storedFrames(text, text)),
    ),
  )
  expect(firsts.map(({ first }) => first).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 100 }, (_, at) => 2 * at + 1),
  )
  expect((await keptMessages(one.appLog, appId)).toSorted()).toEqual(
    [...numbered(1, 100), ...numbered(1, 100)].toSorted(),
  )
})

test('the oldest chunks go when the log is too heavy, but 1,500 lines always stay', async () => {
  const small = await openTestLog(engines, { bytesPerAppMax: 1_000 })
  const appId = newId<AppId>()
  for (let at = 0; at < 40; at++)
    await small.appLog.append(appId, 50, storedFrames(...numbered(50 * at + 1, 50 * at + 50)))
  const { oldest, head } = await small.appLog.bounds(appId)
  expect({ oldest, head }).toEqual({ oldest: 501, head: 2000 })
  expect(await keptMessages(small.appLog, appId)).toEqual(numbered(501, 2000))
  // A reader that comes too late sees by the numbers what it has missed.
  expect((await small.appLog.read(appId, 100, 1)).chunks[0]?.first).toBe(501)
  await small.close()
})

test('a log within its budget keeps more than 1,500 lines', async () => {
  const appId = newId<AppId>()
  for (let at = 0; at < 10; at++)
    await one.appLog.append(appId, 400, storedFrames(...numbered(400 * at + 1, 400 * at + 400)))
  expect(await one.appLog.bounds(appId)).toEqual({ oldest: 1, head: 4000 })
})

test('lines with an id are added once, whoever adds them', async () => {
  const appId = newId<AppId>()
  expect((await one.appLog.append(appId, 1, storedFrames('said once'), 'event-1')).first).toBe(1)
  expect((await other.appLog.append(appId, 1, storedFrames('said once'), 'event-1')).first).toBe(1)
  expect((await other.appLog.append(appId, 1, storedFrames('other'), 'event-2')).first).toBe(2)
  expect(await keptMessages(one.appLog, appId)).toEqual(['said once', 'other'])
})

describe('a post that comes again', () => {
  /**
   * Lines `from` … `to` of the post, as a part of a chunk in which other lines stand before them.
   */
  const part = (post: string, from: number, to: number, ...before: string[]) => {
    const lines = numbered(from, to)
    const frames = storedFrames(...before, ...lines)
    const start = before.length === 0 ? 0 : storedFrames(...before).length
    const parts = [{ post, from: from - 1, to, start, end: frames.length }]
    return [before.length + lines.length, frames, parts] as const
  }

  test('adds nothing that is in the log, whoever added it', async () => {
    const appId = newId<AppId>()
    expect(await one.appLog.append(appId, ...part('p', 1, 3))).toEqual({ first: 1, added: 3 })
    expect(await other.appLog.append(appId, ...part('p', 1, 3))).toEqual({ first: 4, added: 0 })
    expect(await other.appLog.append(appId, ...part('q', 1, 1))).toEqual({ first: 4, added: 1 })
    expect(await keptMessages(one.appLog, appId)).toEqual([...numbered(1, 3), 'line 1'])
  })

  test('adds the rest of what was added in part, and the lines of others around it', async () => {
    const appId = newId<AppId>()
    await one.appLog.append(appId, ...part('p', 1, 3))
    const heads: number[] = []
    const stop = other.appLog.onGrew(appId, (head) => heads.push(head))
    const again = part('p', 1, 5, 'of another')
    expect(await other.appLog.append(appId, ...again)).toEqual({ first: 4, added: 3 })
    expect(heads.at(-1)).toBe(6)
    // A reader where it came again gets what is in the log, not what was given.
    const { chunks } = await other.appLog.read(appId, 4, 1_000_000)
    expect(linesOf(chunks).map((line) => line.slice(14))).toEqual([
      'of another',
      'line 4',
      'line 5',
    ])
    stop()
    // What the first one goes on with is there by now.
    expect((await one.appLog.append(appId, ...part('p', 4, 6))).added).toBe(1)
    expect(await keptMessages(one.appLog, appId)).toEqual([
      ...numbered(1, 3),
      'of another',
      ...numbered(4, 6),
    ])
  })

  test('leaves the number of what was added for who never got the answer', async () => {
    const appId = newId<AppId>()
    await one.appLog.append(appId, ...part('p', 1, 2))
    const [count, frames, parts] = part('p', 1, 3)
    const append = { appId, count, frames, parts, batch: 1, bytesMax: 1_000_000 }
    const answer = () => appendLogs(one.redis, 'w', [append])
    expect(await answer()).toMatchObject([{ first: 3, added: 1 }])
    expect(await answer()).toEqual([{ first: 3, added: 1 }])
  })

  test('is known for some time only, and of so many posts', async () => {
    const appId = newId<AppId>()
    const key = `plexus:log:{${appId}}:posts`
    await one.appLog.append(appId, ...part('p', 1, 1))
    expect(await one.redis.ttl(key)).toBeGreaterThan(postsKeptSeconds)
    const past = Math.floor(Date.now() / 1_000) - postsKeptSeconds
    await one.redis.hSet(key, 'since', String(past))
    await one.appLog.append(appId, ...part('q', 1, 1))
    expect(await one.redis.ttl(`${key}:older`)).toBeGreaterThan(postsKeptSeconds - 10)
    expect((await other.appLog.append(appId, ...part('p', 1, 1))).added).toBe(0)
    const many = Array.from({ length: postsKeptMax }, (_, at) => [`post ${at}`, '1']).flat()
    await one.redis.hSet(key, many)
    await one.appLog.append(appId, ...part('r', 1, 1))
    expect(await one.redis.hLen(key)).toBe(2)
    expect((await other.appLog.append(appId, ...part('q', 1, 1))).added).toBe(0)
    expect((await other.appLog.append(appId, ...part('p', 1, 1))).added).toBe(1)
    await one.appLog.remove(appId)
    expect(await one.redis.exists([key, `${key}:older`])).toBe(0)
  })
})

test('a batch whose answer got lost is not added again when it is given again', async () => {
  const appId = newId<AppId>()
  const append = { appId, count: 1, parts: [], bytesMax: 1_000_000 }
  const first = { ...append, batch: 1, frames: storedFrames('first') }
  const second = { ...append, batch: 2, frames: storedFrames('second') }
  const other = { ...first, appId: newId<AppId>() }
  const firstOf = async (...appends: (typeof first)[]) =>
    (await appendLogs(one.redis, 'w', appends)).map((appended) =>
      appended === misplaced ? misplaced : appended.first,
    )
  expect(await firstOf(first)).toEqual([1])
  expect(await firstOf(first, other)).toEqual([1, 1])
  expect(await firstOf(other, second)).toEqual([1, 2])
  expect((await readLog(one.redis, appId, 1, 1000)).bounds.head).toBe(2)
})

describe('lines that are placed where their log ends', () => {
  const placed = (appId: AppId, batch: number, behind: number | undefined): BatchAppend => {
    const frames = storedFrames(`batch ${batch}`)
    return { appId, count: 1, parts: [], bytesMax: 1_000_000, frames, batch, behind }
  }
  const give = (writer: string, ...appends: BatchAppend[]) => appendLogs(one.redis, writer, appends)

  test('are in it as all others are', async () => {
    const appId = newId<AppId>()
    expect(await give('w', placed(appId, 1, 0))).toMatchObject([{ first: 1, added: 1 }])
    expect(await give('w', placed(appId, 2, undefined))).toMatchObject([{ first: 2 }])
    expect(await give('w', placed(appId, 3, 2), placed(newId<AppId>(), 4, 0))).toMatchObject([
      { first: 3, weight: { bytes: 3 * storedFrames('batch 1').length } },
      { first: 1 },
    ])
    expect(await keptMessages(one.appLog, appId)).toEqual(['batch 1', 'batch 2', 'batch 3'])
  })

  test('are taken back where the log does not end there', async () => {
    const appId = newId<AppId>()
    await give('w', placed(appId, 1, undefined), placed(newId<AppId>(), 2, undefined))
    // Before the end, behind it, and in a log of which nothing is there.
    for (const behind of [0, 1_000])
      expect(await give('v', placed(appId, 3, behind))).toEqual([misplaced])
    const none = newId<AppId>()
    expect(await give('v', placed(none, 4, 7))).toEqual([misplaced])
    expect(await one.redis.exists(`plexus:log:{${none}}`)).toBe(0)
    // Its writer never got the answer.
    expect(await give('w', placed(appId, 1, 1))).toEqual([misplaced])
    expect(await give('v', placed(appId, 5, 1))).toMatchObject([{ first: 2 }])
    expect(await keptMessages(one.appLog, appId)).toEqual(['batch 1', 'batch 5'])
  })

  test('are taken back when the log was removed, or has a part of them', async () => {
    const [removed, known] = [newId<AppId>(), newId<AppId>()]
    await give('w', placed(removed, 1, undefined))
    await one.appLog.remove(removed)
    expect(await give('w', placed(removed, 2, 1))).toEqual([misplaced])
    expect(await one.redis.exists(`plexus:log:{${removed}}`)).toBe(0)
    const parts: [PostPart] = [
      { post: 'p', from: 0, to: 1, start: 0, end: storedFrames('batch 1').length },
    ]
    const ofPost = (batch: number, behind: number) => ({ ...placed(known, batch, behind), parts })
    expect(await give('w', ofPost(3, 0))).toMatchObject([{ first: 1, added: 1 }])
    expect(await give('w', ofPost(4, 1))).toEqual([misplaced])
    const [part] = parts
    const twice = { ...placed(known, 5, 1), count: 2, frames: storedFrames('batch 5', 'batch 5') }
    const again = [part, { ...part, start: part.end, end: 2 * part.end }]
    const other = again.map((each) => ({ ...each, post: 'q' }))
    expect(await give('w', { ...twice, parts: other })).toEqual([misplaced])
    const given = { ...twice, behind: undefined, parts: other }
    expect(await give('w', given)).toMatchObject([{ first: 2, added: 1 }])
    expect(await keptMessages(one.appLog, known)).toEqual(['batch 3', 'batch 5'])
  })

  test("that were left when our functions were not there are in nobody's way", async () => {
    const [far, near] = [newId<AppId>(), newId<AppId>()]
    const leave = (appId: AppId, id: string) =>
      one.redis.sendCommand(['XADD', `plexus:log:{${appId}}`, id, 'f', storedFrames('left')])
    await give('w', placed(far, 1, undefined), placed(near, 1, undefined))
    await leave(far, '1000-1')
    await leave(near, '2-1')
    await leave(near, '3-1')
    expect(await keptMessages(one.appLog, far)).toEqual(['batch 1'])
    expect(await give('w', placed(near, 3, 1))).toMatchObject([{ first: 2 }])
    const frames = storedFrames('batch 4', 'batch 5')
    const more = { ...placed(far, 4, undefined), count: 2, frames }
    await leave(far, '2000-1')
    expect(await give('w', more)).toMatchObject([{ first: 2 }])
    expect(await give('w', placed(far, 6, 3))).toMatchObject([{ first: 4 }])
    expect(await keptMessages(one.appLog, far)).toEqual([1, 4, 5, 6].map((at) => `batch ${at}`))
    expect(await keptMessages(one.appLog, near)).toEqual(['batch 1', 'batch 3'])
  })

  test("are in nobody's way either when only half of an append was left", async () => {
    const appId = newId<AppId>()
    const key = `plexus:log:{${appId}}`
    await give('w', placed(appId, 1, undefined))
    for (const [id, size] of [
      ['2-1', '2:10'],
      ['9-7', '9:70'],
    ] as const) {
      await one.redis.sendCommand(['XADD', key, id, 'f', storedFrames('half')])
      await one.redis.rPush(`${key}:sizes`, size)
    }
    expect(await keptMessages(one.appLog, appId)).toEqual(['batch 1'])
    expect(await give('w', placed(appId, 2, 1))).toMatchObject([{ first: 2 }])
    await one.redis.rPush(`${key}:sizes`, '9:70')
    expect(await give('w', placed(appId, 3, undefined))).toMatchObject([{ first: 3 }])
    expect(await keptMessages(one.appLog, appId)).toEqual(['batch 1', 'batch 2', 'batch 3'])
  })

  test('go in by themselves when they are many, from several processes too', async () => {
    const appId = newId<AppId>()
    const much = (at: number) => storedFrames(`${at} ${'x'.repeat(placedBytesMin)}`)
    const transactions = async (): Promise<number> =>
      Number(/cmdstat_exec:calls=(\d+)/.exec(await one.redis.info('commandstats'))?.[1] ?? 0)
    const before = await transactions()
    const writers = [one.appLog, other.appLog, one.appLog, one.appLog]
    const firsts: number[] = []
    for (let at = 0; at < 20; at++) {
      const writer = writers[at % writers.length] ?? one.appLog
      firsts.push((await writer.append(appId, 1, much(at))).first)
    }
    expect(firsts).toEqual(Array.from({ length: 20 }, (_, at) => at + 1))
    const kept = await keptMessages(one.appLog, appId)
    expect(kept.map((message) => Number(message.split(' ')[0]))).toEqual(firsts.map((at) => at - 1))
    // Nothing else that is tested here makes a transaction.
    expect(await transactions()).toBeGreaterThan(before)
  })

  test('wait for functions that Redis has lost', async () => {
    const appId = newId<AppId>()
    await give('w', placed(appId, 1, undefined))
    await one.redis.functionFlush()
    expect(await give('w', placed(appId, 2, 1))).toMatchObject([{ first: 2 }])
    expect(await keptMessages(one.appLog, appId)).toEqual(['batch 1', 'batch 2'])
  })
})

test('what goes to Redis together with a log in trouble is added all the same', async () => {
  const [well, ill] = [newId<AppId>(), newId<AppId>()]
  const key = `plexus:log:{${ill}}`
  await one.redis.set(key, 'not a log')
  const appends = [ill, well, newId<AppId>()].map((appId) =>
    one.appLog.append(appId, 1, storedFrames('x')),
  )
  expect(await Promise.all(appends.slice(1))).toMatchObject([{ first: 1 }, { first: 1 }])
  await one.redis.del(key)
  expect(await appends[0]).toMatchObject({ first: 1, added: 1 })
  expect(await keptMessages(one.appLog, well)).toEqual(['x'])
})

test('appends of very many logs, and very many bytes, go in several calls', async () => {
  const apps = Array.from({ length: 3 * appendsPerCallMax }, () => newId<AppId>())
  const frames = storedFrames('x'.repeat(appendsBytesMax / 16))
  await Promise.all(apps.map((appId) => one.appLog.append(appId, 1, frames)))
  for (const appId of apps) expect((await one.appLog.bounds(appId)).head).toBe(1)
})

test('a reader is told of lines that this or another process added', async () => {
  const appId = newId<AppId>()
  const heads: number[] = []
  const stop = one.appLog.onGrew(appId, (head) => heads.push(head))
  await one.appLog.append(appId, 1, storedFrames('here'))
  expect(heads).toEqual([1])
  await other.appLog.append(appId, 1, storedFrames('there'))
  await eventually(() => expect(heads).toEqual([1, 2]))
  // What was added here is at hand without Redis, what was added there is not, and both are read.
  expect(linesOf((await one.appLog.read(appId, 1, 1)).chunks)).toEqual(['1 app[web.1]: here'])
  expect(linesOf((await one.appLog.read(appId, 2, 1)).chunks)).toEqual(['2 app[web.1]: there'])
  stop()
  await one.appLog.append(appId, 1, storedFrames('unheard'))
  expect(heads).toEqual([1, 2])
})

test('a removed log is empty and takes no late lines', async () => {
  const appId = newId<AppId>()
  await one.appLog.append(appId, 1, storedFrames('x'))
  await one.appLog.remove(appId)
  expect((await other.appLog.append(appId, 1, storedFrames('late'))).first).toBe(0)
  expect(await keptMessages(one.appLog, appId)).toEqual([])
})

test('functions that Redis has lost are given to it again', async () => {
  const appId = newId<AppId>()
  await one.redis.functionFlush()
  expect((await one.appLog.append(appId, 1, storedFrames('x'))).first).toBe(1)
})
