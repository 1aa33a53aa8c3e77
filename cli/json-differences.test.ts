import { expect, test } from 'vitest'
import { differences } from './json-differences.ts'

test('each value that differs is one line, or two, with its path', () => {
  const before = { id: 'x', api: { regions: ['us'], password: 'a' }, gone: 1 }
  const after = { id: 'x', api: { regions: ['us', 'eu'], password: 'a' }, $base: 2 }
  expect(differences(before, after)).toEqual([
    '- api.regions: ["us"]',
    '+ api.regions: ["us","eu"]',
    '- gone: 1',
    '+ $base: 2',
  ])
  expect(differences(before, before, 'plans')).toEqual([])
})
