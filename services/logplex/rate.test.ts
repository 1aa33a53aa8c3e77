import { expect, test } from 'vitest'
import { Rate } from './rate.ts'

test('a rate is that of the last window, and falls to nothing while nothing comes', () => {
  let count = 0
  const rate = new Rate(() => count)
  expect(rate.perSecond(1_000)).toBe(0)
  count = 500
  // Too soon to say anything else.
  expect(rate.perSecond(1_010)).toBe(0)
  expect(rate.perSecond(1_100)).toBe(5_000)
  expect(rate.perSecond(1_120)).toBe(5_000)
  count = 501
  expect(rate.perSecond(11_100)).toBeCloseTo(0.1)
})
