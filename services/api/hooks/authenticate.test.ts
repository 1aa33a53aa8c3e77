import { expect, test } from 'vitest'
import { readBasic, readToken } from './authenticate.ts'

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`

test.each([
  ['Bearer HRKU-1', 'HRKU-1'],
  ['bearer  HRKU-1 ', 'HRKU-1'],
  [basic(':HRKU-1'), 'HRKU-1'],
  [basic('heroku:HRKU-1'), 'HRKU-1'],
  [basic('HRKU-1:'), undefined],
  ['Bearer', undefined],
  ['Bearer a b', undefined],
  ['Token HRKU-1', undefined],
  [undefined, undefined],
])('the token of %j', (header, token) => {
  expect(readToken(header)).toBe(token)
})

test('a password may hold colons, a user may not, and neither a NUL', () => {
  expect(readBasic(basic('ada@example.com:a:b'))).toEqual({
    user: 'ada@example.com',
    password: 'a:b',
  })
  expect(readBasic(basic('no colon'))).toBeUndefined()
  expect(readBasic(basic('ada@example.com\0:a'))).toBeUndefined()
  expect(readBasic(basic(':HRKU-1\0'))).toBeUndefined()
})
