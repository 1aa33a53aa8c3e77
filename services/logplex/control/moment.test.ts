import { expect, test } from 'vitest'
import { readMoment } from './moment.ts'

const now = new Date('2026-11-21T10:00:00Z')
const read = (text: string): string | undefined => {
  const ms = readMoment('Since', text, now)
  return ms === undefined ? undefined : new Date(ms).toISOString()
}

test.each([
  ['', undefined],
  ['30s', '2026-11-21T09:59:30.000Z'],
  ['10m', '2026-11-21T09:50:00.000Z'],
  ['2h', '2026-11-21T08:00:00.000Z'],
  ['7d', '2026-11-14T10:00:00.000Z'],
  ['2026-11-20T10:11:12Z', '2026-11-20T10:11:12.000Z'],
  ['2026-11-20T10:11:12.5+01:00', '2026-11-20T09:11:12.500Z'],
])('%j is %j', (text, expected) => {
  expect(read(text)).toBe(expected)
})

test.each([
  '10',
  'm',
  '10 m',
  '-10m',
  '1.5h',
  '10w',
  'yesterday',
  '2026-11-20',
  '2026-11-20T10:11:12',
])('%j is refused with what would do', (text) => {
  expect(() => read(text)).toThrow(
    'Since must be a time as 2026-11-21T09:00:00Z (RFC 3339), or how long ago: 30s, 10m, 2h, 7d.',
  )
})
