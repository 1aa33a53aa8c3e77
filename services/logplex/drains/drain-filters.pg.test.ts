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

let on: TestDrains

beforeAll(async () => {
  on = await openTestDrains(inject('engines'))
})

afterEach(() => on.closeAll())

afterAll(() => on.log.close())

test('lines that the options leave out are counted as filtered, and nobody is told', async () => {
  const target = await on.receiver()
  const drain = drainTo(`${target.url}#source=app&exclude-text=healthcheck`)
  await on.append(drain, ['one', 'GET /healthcheck'])
  await on.append(drain, ['starting'], { source: 'heroku' })
  await on.append(drain, ['two'])
  const drains = await on.start([drain], { limits: { tellMsMin: 0 } })
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({
      ...{ received: 4, delivered: 2, dropped: 2, filtered: 2, ...settled },
    }),
  )
  expect(target.posts.flatMap(({ frames }) => frames)).toHaveLength(2)
  expect(target.posts[0]?.path).toBe('/logs')
  // A batch of which nothing is left is no request, and the cursor moves all the same.
  await on.append(drain, numbered(1, 900), { source: 'heroku' })
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({ received: 904, filtered: 902, ...settled }),
  )
  await on.append(drain, ['three'])
  await eventually(() => expect(messages(target.posts)).toEqual(['one', 'two', 'three']))
  expect(String(await keptMessages(on.log.appLog, drain.appId))).not.toContain('L10')
})

test('a batch that is refused counts and tells only the lines that were in it', async () => {
  const target = await on.receiver()
  target.answers = [404]
  const drain = drainTo(`${target.url}#text=keep`)
  await on.append(drain, ['no'], { time: '2026-11-21T01:00:00.000000+00:00' })
  await on.append(drain, ['keep 1', 'no', 'keep 2'], { time: '2026-11-21T02:00:00.000000+00:00' })
  const drains = await on.start([drain])
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({ refused: 2, delivered: 0 }),
  )
  await eventually(async () =>
    expect(await keptMessages(on.log.appLog, drain.appId)).toContain(
      `Error L10 (output buffer overflow): drain '${drain.token}' dropped 2 messages since 2026-11-21T02:00:00.000000+00:00.`,
    ),
  )
  await on.append(drain, ['keep 3'])
  await eventually(async () =>
    expect(await drains.state(drain)).toMatchObject({ refused: 2, filtered: 3, delivered: 1 }),
  )
  expect(target.posts.at(-1)?.frames).toEqual([
    expect.stringContaining('2 messages dropped since 2026-11-21T02'),
    expect.stringContaining('keep 3'),
  ])
})

test('a batch that is tried again, by another process too, has the same lines of the sample', async () => {
  const target = await on.receiver()
  target.otherwise = 503
  const drain = drainTo(`${target.url}#sample=0.5`)
  await on.append(drain, numbered(1, 200))
  const first = await on.start([drain])
  await eventually(() => expect(target.posts.length).toBeGreaterThan(2))
  await first.stop()
  target.otherwise = 204
  const second = await on.start([drain])
  await eventually(async () => expect(await second.state(drain)).toMatchObject(settled))
  const { delivered, filtered } = await second.state(drain)
  expect(delivered + filtered).toBe(200)
  expect(delivered).toBeGreaterThan(60)
  expect(delivered).toBeLessThan(140)
  const batches = target.posts.map((post) => messages([post]))
  expect(batches.at(-1)).toHaveLength(delivered)
  for (const batch of batches) expect(batch).toEqual(batches[0])
  const ids = target.posts.map(({ headers }) => headers['logplex-frame-id'])
  expect(new Set(ids).size).toBe(1)
})
