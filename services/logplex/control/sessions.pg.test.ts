import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { newId, type AccountId, type AppId } from '#lib/ids.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { openTestLog, type TestLog } from '../../../test/support/logs.ts'
import { revokeAllSessions, revokeSessions } from './revocations.ts'
import { createSession, sessionFinder } from './sessions.ts'

let log: TestLog

beforeAll(async () => {
  log = await openTestLog(inject('engines'))
})

afterAll(() => log.close())

const accountId = newId<AccountId>()
const texts = { source: '', dyno: '', match: '', pattern: '' }
const noFilters = { ...texts, since: '', until: '' }

test('a session may be come back to until it ends, however often that is done', async () => {
  const wish = {
    appId: newId<AppId>(),
    accountId,
    lines: 10,
    tail: true,
    ...noFilters,
    dyno: 'web',
  }
  const session = await createSession(log.redis, wish)
  let seconds = 0
  const find = sessionFinder(log.redis, () => session.createdAt.getTime() + seconds * 1_000)
  for (seconds of [1, 200, 3_000, 3_899]) expect(await find(session.id)).toEqual(session)
  seconds = 3_900
  expect(await find(session.id)).toBeUndefined()
})

test('a session that is not opened within five minutes is forgotten', async () => {
  const wish = { appId: newId<AppId>(), accountId, lines: 10, tail: true, ...noFilters }
  const { id } = await createSession(log.redis, wish)
  const left = await log.redis.ttl(`plexus:session:${id}`)
  expect(left).toBeGreaterThan(290)
  expect(left).toBeLessThanOrEqual(300)
})

test.each([
  [{ dyno: 'x'.repeat(129) }, 'Source and dyno may be 128'],
  [{ match: 'x'.repeat(257) }, 'Match may be 256'],
  [{ pattern: 'x'.repeat(257) }, 'Pattern may be 256'],
  [{ pattern: '(' }, 'Pattern is no regular expression'],
  [{ since: 'yesterday' }, 'Since must be a time'],
  [{ until: '10', tail: false }, 'Until must be a time'],
  [{ until: '10m', tail: true }, 'Until and tail do not go together'],
  [{ since: '10m', until: '10m', tail: false }, 'Since must be before until'],
])('filters %j are refused with a sentence', async (filters, sentence) => {
  const wish = { appId: newId<AppId>(), accountId, lines: 10, tail: true, ...noFilters, ...filters }
  await expect(createSession(log.redis, wish)).rejects.toThrow(sentence)
})

test('how long ago is reckoned from the moment at which the session is made', async () => {
  const wish = { appId: newId<AppId>(), accountId, lines: 10, tail: false, ...noFilters }
  const session = await createSession(log.redis, { ...wish, since: '10m', until: '30s' })
  const made = session.createdAt.getTime()
  const period = { sinceMs: made - 600_000, untilMs: made - 30_000 }
  expect(await sessionFinder(log.redis)(session.id)).toMatchObject(period)
})

test('a session that an older version has made is found, without the filters that it has not', async () => {
  const wish = { appId: newId<AppId>(), accountId, lines: 10, tail: true, ...noFilters }
  const session = await createSession(log.redis, wish)
  const { match: _match, pattern: _pattern, ...older } = session
  await log.redis.set(`plexus:session:${session.id}`, JSON.stringify(older))
  expect(await sessionFinder(log.redis)(session.id)).toEqual(session)
})

describe('revoked', () => {
  const wish = { lines: 10, tail: true, ...noFilters }

  test('sessions that the account made until then are void, and no others', async () => {
    const appId = newId<AppId>()
    const find = sessionFinder(log.redis)
    const make = (of: { appId: AppId; accountId: AccountId }) =>
      createSession(log.redis, { ...wish, ...of })
    const own = await make({ appId, accountId })
    const others = [
      await make({ appId, accountId: newId<AccountId>() }),
      await make({ appId: newId<AppId>(), accountId }),
    ]
    const before = new Date(own.createdAt.getTime() - 1)
    await revokeSessions(log.redis, { appId, accountId }, before)
    expect(await find(own.id)).toEqual(own)
    await revokeSessions(log.redis, { appId, accountId }, own.createdAt)
    // Told once more, and late: what was removed after that stays so.
    await revokeSessions(log.redis, { appId, accountId }, before)
    expect(await find(own.id)).toBeUndefined()
    for (const other of others) expect(await find(other.id)).toEqual(other)
    await eventually(() => expect(Date.now()).toBeGreaterThan(own.createdAt.getTime()))
    const again = await make({ appId, accountId })
    expect(await find(again.id)).toEqual(again)
    const left = await log.redis.ttl(`plexus:revoked:{${appId}}`)
    expect(left).toBeGreaterThan(3_890)
    expect(left).toBeLessThanOrEqual(3_900)
  })

  test('of a destroyed app all are void, even one that is made too late', async () => {
    const appId = newId<AppId>()
    const early = await createSession(log.redis, { ...wish, appId, accountId })
    await revokeAllSessions(log.redis, appId)
    const now = Date.now()
    await eventually(() => expect(Date.now()).toBeGreaterThan(now))
    const late = await createSession(log.redis, { ...wish, appId, accountId: newId<AccountId>() })
    const find = sessionFinder(log.redis)
    expect([await find(early.id), await find(late.id)]).toEqual([undefined, undefined])
  })
})
