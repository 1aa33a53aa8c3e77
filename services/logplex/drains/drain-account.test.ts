import { expect, test } from 'vitest'
import { expectBalanced } from '../../../test/support/drain-account.ts'
import { drainAccount, uncountedLines } from './drain-account.ts'

// Added at line 11; of the lines up to 32 two were told to others only, and ten came a second time.
const dropped = { overflowed: 4, refused: 1, filtered: 3 }
const cursor = { next: 33, delivered: 22, ...dropped, uncounted: 2, replayed: 10 }

test('what was received is told by the numbers, what became of it by what was counted', () => {
  expect(uncountedLines(cursor, 11)).toBe(0)
  const account = drainAccount(cursor, 11, { oldest: 20, head: 37 })
  expect(account).toEqual({
    ...{ received: 35, delivered: 22, pending: 5, dropped: 8, ...dropped, replayed: 10 },
  })
  expectBalanced(account)
})

test('lines that the buffer let go are dropped though the drain has not come to count them', () => {
  const account = drainAccount(cursor, 11, { oldest: 36, head: 37 })
  expect(account).toMatchObject({ received: 35, pending: 2, dropped: 11, overflowed: 7 })
  expectBalanced(account)
})

test('when the log was lost, what it held before stays in the account', () => {
  const account = drainAccount(cursor, 11, { oldest: 1, head: 3 })
  expect(account).toMatchObject({ received: 33, pending: 3, dropped: 8 })
  expectBalanced(account)
})

test('a line that nobody counted shows, and so does one that was counted twice', () => {
  expect(uncountedLines({ ...cursor, delivered: 21 }, 11)).toBe(1)
  expect(uncountedLines({ ...cursor, refused: 2 }, 11)).toBe(-1)
  const account = drainAccount({ ...cursor, delivered: 21 }, 11, { oldest: 20, head: 37 })
  expect(() => expectBalanced(account)).toThrow(/34/)
})
