import { expect, test } from 'vitest'
import { partialSuccess } from '../../../test/support/otlp-logs.ts'
import { readPartialSuccess } from './partial-success.ts'

test('what a receiver of OTLP rejects is read, and why', () => {
  const answer = partialSuccess(300, 'too old')
  expect(readPartialSuccess(answer)).toEqual({ rejected: 300, message: 'too old' })
})

test('fields that are not known are passed over', () => {
  const unknown = Buffer.from([0x78, 0x05, 0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7d, 1, 2, 3, 4])
  const answer = Buffer.concat([unknown, partialSuccess(2, ''), unknown])
  expect(readPartialSuccess(answer)).toEqual({ rejected: 2, message: '' })
})

test.each([
  ['nothing', Buffer.alloc(0)],
  ['text', Buffer.from('all is well')],
  ['a length beyond the end', Buffer.from([0x0a, 0x7f, 0x08])],
  ['a number without an end', Buffer.from([0x0a, 0x02, 0x08, 0x80])],
  ['a negative number', Buffer.from(partialSuccess(-1, 'x'))],
  ['a field of a group', Buffer.from([0x0b])],
])('%s is no rejection', (_, answer) => {
  expect(readPartialSuccess(answer)).toEqual({ rejected: 0, message: '' })
})

test('no answer of any bytes is more than an answer', () => {
  let seed = 7
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647)
  for (let round = 0; round < 2_000; round++) {
    const answer = Buffer.from(Array.from({ length: random() % 24 }, () => random() & 0xff))
    expect(readPartialSuccess(answer).rejected).toBeGreaterThanOrEqual(0)
  }
})
