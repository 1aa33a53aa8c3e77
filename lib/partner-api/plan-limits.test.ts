import { expect, test } from 'vitest'
import { jsonFields } from '#lib/json-fields.ts'
import { describeLimits, parsePlanLimits } from './plan-limits.ts'

const parse = (limits: unknown) =>
  parsePlanLimits(jsonFields('acme.plans.json', 'plans[0]', { limits }))

test('limits are names with whole numbers, and a plan need not have any', () => {
  expect(parse({ size_mb: 1024, connections: 20 })).toEqual({ size_mb: 1024, connections: 20 })
  expect(parse(undefined)).toEqual({})
})

test.each([
  [[], 'plans[0].limits must be an object'],
  [
    { 'Size (MB)': 1 },
    'plans[0].limits must have names that match ^[a-z][a-z0-9_]{0,49}$, got "Size (MB)"',
  ],
  [{ size_mb: 0 }, 'plans[0].limits.size_mb must be a whole number, 1 or more, got 0'],
  [{ size_mb: 0.5 }, 'plans[0].limits.size_mb must be a whole number, 1 or more, got 0.5'],
  [{ size_mb: '1' }, 'plans[0].limits.size_mb must be a whole number, 1 or more, got "1"'],
  [
    Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`l${n}`, 1])),
    'plans[0].limits must be at most 20, got 21',
  ],
])('%j is refused with file, field, rule and value', (limits, reason) => {
  expect(() => parse(limits)).toThrow(`acme.plans.json: ${reason}`)
})

test('people read them with their units', () => {
  expect(describeLimits({ size_mb: 1024, connections: 20 })).toBe('size 1 GB, 20 connections')
  expect(describeLimits({ maxmemory_mb: 25, requests_per_day: 1000 })).toBe(
    'maxmemory 25 MB, 1000 requests per day',
  )
  expect(describeLimits({})).toBe('')
})
