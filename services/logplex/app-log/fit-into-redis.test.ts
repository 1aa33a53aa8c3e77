import { expect, test } from 'vitest'
import { bytesThatFit } from './fit-into-redis.ts'

const GiB = 1024 ** 3

test('logs get what Redis has beside what else it needs memory for', () => {
  expect(bytesThatFit(0)).toBe(Infinity)
  expect(bytesThatFit(2 * GiB)).toBe(GiB)
  expect(bytesThatFit(5 * GiB)).toBe(3 * GiB)
  expect(bytesThatFit(GiB / 2)).toBe(GiB / 8)
})
