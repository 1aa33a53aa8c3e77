import { expect, test } from 'vitest'
import { isAppName, makeUpAppName } from './app-names.ts'

test('made-up names are proper names and hardly ever the same', () => {
  const names = Array.from({ length: 200 }, makeUpAppName)
  expect(names.filter((name) => !isAppName(name))).toEqual([])
  expect(new Set(names).size).toBeGreaterThan(195)
})
