import { expect, test } from 'vitest'
import { decideSize } from './size-check.ts'

const plan = { connectionsMax: 20, sizeBytesMax: 1_000 }
const fits = {
  sizeBytes: 0,
  sizeState: 'fits',
  strikes: 0,
  closedUntil: null,
  connectionsKept: 0,
} as const
const farOver = { ...fits, sizeBytes: 1_500, sizeState: 'far-over' } as const
const open = { connectionsMax: 20, sessions: 1, readOnly: false, even: true, rewriting: false }
const narrow = { connectionsMax: 1, sessions: 1, readOnly: true, even: true, rewriting: false }
const now = Date.UTC(2030, 0, 1)

test('a database at its plan’s size is left alone, one byte more makes it read-only', () => {
  expect(decideSize(fits, { ...open, sizeBytes: 1_000 }, plan, now).enforce).toBe(false)
  const over = decideSize(fits, { ...open, sizeBytes: 1_001 }, plan, now)
  expect(over).toMatchObject({ enforce: true, readOnly: true, connectionsMax: 20 })
  expect(over.row.sizeState).toBe('over')
})

test('what the server does already is not enforced again', () => {
  const decision = decideSize(farOver, { ...narrow, sizeBytes: 1_400 }, plan, now)
  expect(decision).toMatchObject({ enforce: false, connectionsMax: 1 })
})

test('what only one of two logins is held to is enforced again', () => {
  const seen = { ...narrow, even: false, sizeBytes: 1_400 }
  const decision = decideSize(farOver, seen, plan, now)
  expect(decision).toMatchObject({ enforce: true, readOnly: true, connectionsMax: 1 })
})

test('growing while far over closes it, longer with each strike and an hour at most', () => {
  const first = decideSize(farOver, { ...narrow, sizeBytes: 1_600 }, plan, now)
  expect(first).toMatchObject({ enforce: true, connectionsMax: 0, row: { strikes: 1 } })
  const untilMs = first.row.closedUntil?.getTime() ?? 0
  expect(untilMs - now).toBeGreaterThan(7_000)
  expect(untilMs - now).toBeLessThanOrEqual(10_000)

  const known = { ...farOver, strikes: 40 }
  const late = decideSize(known, { ...narrow, sizeBytes: 1_600 }, plan, now)
  expect((late.row.closedUntil?.getTime() ?? 0) - now).toBeLessThanOrEqual(3_600_000)
  expect((late.row.closedUntil?.getTime() ?? 0) - now).toBeGreaterThan(2_000_000)
})

test('a table written anew and the crumbs of deleting are no growth', () => {
  const rewriting = { ...narrow, rewriting: true, sizeBytes: 2_500 }
  expect(decideSize(farOver, rewriting, plan, now).row.strikes).toBe(0)
  expect(decideSize(farOver, { ...narrow, sizeBytes: 1_509 }, plan, now).row.strikes).toBe(0)
})

test('it opens when its time has passed, and wholly when it fits', () => {
  const closed = { ...farOver, strikes: 2, closedUntil: new Date(now) }
  const shut = { ...narrow, connectionsMax: 0, sizeBytes: 1_500 }
  expect(decideSize(closed, shut, plan, now - 1).connectionsMax).toBe(0)
  expect(decideSize(closed, shut, plan, now)).toMatchObject({ enforce: true, connectionsMax: 1 })
  expect(decideSize(closed, { ...shut, sizeBytes: 900 }, plan, now - 1)).toMatchObject({
    enforce: true,
    readOnly: false,
    connectionsMax: 20,
    row: { strikes: 0, closedUntil: null },
  })
})

test('another number of connections ends no session, another size does', () => {
  const seen = { ...open, sizeBytes: 900 }
  const wider = { ...plan, connectionsMax: 40 }
  expect(decideSize(fits, seen, wider, now)).toMatchObject({ enforce: true, endSessions: false })
  const lifted = { ...open, sizeBytes: 1_500, readOnly: false }
  const larger = { ...plan, sizeBytesMax: 2_000 }
  // Lifted already, but nobody wrote that down: whoever lifted it may not have ended the sessions.
  expect(decideSize(farOver, lifted, larger, now)).toMatchObject({ endSessions: true })
})

test('sessions of a larger plan count until they are within the smaller one, and its limit holds', () => {
  const kept = { ...fits, connectionsKept: 40 }
  const look = (seen: { connectionsMax: number; sessions: number }) =>
    decideSize(kept, { ...open, ...seen, sizeBytes: 1 }, plan, now).row.connectionsKept
  expect(look({ connectionsMax: 20, sessions: 21 })).toBe(40)
  expect(look({ connectionsMax: 40, sessions: 1 })).toBe(40)
  expect(look({ connectionsMax: 20, sessions: 20 })).toBe(0)
})
