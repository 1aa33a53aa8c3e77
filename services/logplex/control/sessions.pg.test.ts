import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { newId, type AppId } from '#lib/ids.ts'
import { openTestLog, type TestLog } from '../../../test/support/logs.ts'
import { createSession, sessionFinder } from './sessions.ts'

let log: TestLog

beforeAll(async () => {
  log = await openTestLog(inject('engines'))
})

afterAll(() => log.close())

test('a session may be come back to until it ends, however often that is done', async () => {
  const wish = { appId: newId<AppId>(), lines: 10, tail: true, source: '', dyno: 'web' }
  const session = await createSession(log.redis, wish)
  let seconds = 0
  const find = sessionFinder(log.redis, () => session.createdAt.getTime() + seconds * 1_000)
  for (seconds of [1, 200, 3_000, 3_899]) expect(await find(session.id)).toEqual(session)
  seconds = 3_900
  expect(await find(session.id)).toBeUndefined()
})

test('a session that is not opened within five minutes is forgotten', async () => {
  const wish = { appId: newId<AppId>(), lines: 10, tail: true, source: '', dyno: '' }
  const { id } = await createSession(log.redis, wish)
  const left = await log.redis.ttl(`plexus:session:${id}`)
  expect(left).toBeGreaterThan(290)
  expect(left).toBeLessThanOrEqual(300)
})
