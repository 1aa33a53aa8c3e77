import { expect, test } from 'vitest'
import { parseLease } from './lease-setting.ts'

test('a lease is renewed three times before it ends', () => {
  expect(parseLease('10')).toEqual({ leaseMs: 10_000, tickMs: 3_000 })
})

test.each(['', '0', '301', '-1', '2.5', 'ten'])('%j is no lease', (value) => {
  expect(() => parseLease(value)).toThrow('wants whole seconds from 1 to 300')
})
