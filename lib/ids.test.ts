import { expect, test } from 'vitest'
import { derivedId, isUuid } from './ids.ts'

test('a derived id is the same for the same text, another for another, and a uuid of version 8', () => {
  const ids = Array.from({ length: 300 }, (_, n) => derivedId(`text ${n}`))
  expect(ids).toEqual(Array.from({ length: 300 }, (_, n) => derivedId(`text ${n}`)))
  expect(new Set(ids).size).toBe(300)
  expect(ids.every((id) => isUuid(id))).toBe(true)
  expect(ids.every((id) => /^.{8}-.{4}-8.{3}-[89ab].{3}-.{12}$/.test(id))).toBe(true)
})
