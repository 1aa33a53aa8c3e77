import { expect, test } from 'vitest'
import { createTokenBuckets } from './token-buckets.ts'

test('a key has its allowance, no more, and gets it back with time', () => {
  let now = 0
  const buckets = createTokenBuckets({ capacity: 2, perMinute: 1, keysMax: 10, now: () => now })
  expect([buckets.take('a'), buckets.take('a'), buckets.take('a')]).toEqual([true, true, false])
  expect(buckets.remaining('b')).toBe(2)
  now = 30_000
  expect(buckets.take('a')).toBe(false)
  now = 60_000
  expect(buckets.take('a')).toBe(true)
  now = 3_600_000
  expect(buckets.remaining('a')).toBe(2)
})

test('a token given back can be taken again, and fills no bucket beyond its brim', () => {
  const buckets = createTokenBuckets({ capacity: 1, perMinute: 0, keysMax: 2 })
  buckets.take('a')
  buckets.giveBack('a')
  buckets.giveBack('a')
  buckets.giveBack('never taken')
  expect([buckets.take('a'), buckets.take('a')]).toEqual([true, false])
  expect(buckets.remaining('never taken')).toBe(1)
})

test('of too many keys the one unused for longest is forgotten', () => {
  const buckets = createTokenBuckets({ capacity: 1, perMinute: 0, keysMax: 2 })
  buckets.take('a')
  buckets.take('b')
  buckets.take('a')
  buckets.take('c')
  expect([buckets.remaining('a'), buckets.remaining('b'), buckets.remaining('c')]).toEqual([
    0, 1, 0,
  ])
})
