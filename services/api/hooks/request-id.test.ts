import { expect, test } from 'vitest'
import { isUuid } from '#lib/ids.ts'
import { requestId } from './request-id.ts'

const given = (value: string): string => requestId({ headers: { 'request-id': value } })

test("a caller's ids come back as they are, also many of them", () => {
  const ids = Array.from({ length: 200 }, () => '01234567-89ab-4def-8123-456789abcdef').join(',')
  expect(ids.length).toBeGreaterThan(7 * 1024)
  expect(given(ids)).toBe(ids)
})

test('without one, or with one that is too long or odd, there is a new one', () => {
  expect(isUuid(requestId({ headers: {} }))).toBe(true)
  expect(isUuid(given('x'.repeat(9_000)))).toBe(true)
  expect(isUuid(given('<script>'))).toBe(true)
})
