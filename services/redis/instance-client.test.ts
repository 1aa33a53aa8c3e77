import { expect, test } from 'vitest'
import { numberIn, textIn, usedMemory } from './instance-client.ts'

const info = [
  '# Server',
  'redis_version:7.0.15',
  'config_file:',
  '# Memory',
  'used_memory:1500',
  'used_memory_peak:9000',
  'mem_not_counted_for_evict:500',
  '',
].join('\r\n')

test('a field of what an instance says of itself is read by its whole name', () => {
  expect(textIn(info, 'redis_version')).toBe('7.0.15')
  expect(textIn(info, 'config_file')).toBe('')
  expect(numberIn(info, 'used_memory')).toBe(1500)
  expect(() => textIn(info, 'memory')).toThrow(/no memory in what/)
})

test('what the server does not count is not counted as used', () => {
  expect(usedMemory(info)).toBe(1000)
})
