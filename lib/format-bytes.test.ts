import { expect, test } from 'vitest'
import { formatBytes } from '#lib/format-bytes.ts'

test('a size reads as plans are described, and never as less than it is', () => {
  expect([0, 512, 1024, 25 * 1024 ** 2, 1024 ** 3, 64 * 1024 ** 3].map(formatBytes)).toEqual([
    ...['0 bytes', '512 bytes', '1 KB', '25 MB', '1 GB', '64 GB'],
  ])
  expect(formatBytes(1024 ** 3 + 1)).toBe('1.01 GB')
  expect(formatBytes(7.204 * 1024 ** 2)).toBe('7.21 MB')
})
