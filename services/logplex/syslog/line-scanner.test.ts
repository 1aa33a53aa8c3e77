import { expect, test } from 'vitest'
import { lineBytesMax } from '../limits.ts'
import { LineScanner } from './line-scanner.ts'

type Scanned = { lines: string[]; malformed: number }

function scan(...pieces: string[]): Scanned {
  const lines: string[] = []
  const scanner = new LineScanner((bytes, start, end) =>
    lines.push(Buffer.from(bytes.subarray(start, end)).toString('latin1')),
  )
  for (const piece of pieces) scanner.push(Buffer.from(piece, 'latin1'))
  scanner.end()
  expect(scanner.partial).toBe(false)
  return { lines, malformed: scanner.malformed }
}

const longest = 'x'.repeat(lineBytesMax)

test.each<[string, string, Scanned]>([
  ['lines', 'one\ntwo\n', { lines: ['one', 'two'], malformed: 0 }],
  [
    'carriage returns and empty lines',
    '\r\none\r\n\n\r\ntwo\n',
    { lines: ['one', 'two'], malformed: 0 },
  ],
  ['a last line without its newline', 'one\ntwo', { lines: ['one', 'two'], malformed: 0 }],
  ['the longest line', `${longest}\r\nb\n`, { lines: [longest, 'b'], malformed: 0 }],
  ['one that is too long', `a\n${longest}x\nb\n`, { lines: ['a', 'b'], malformed: 1 }],
  ['NULs and broken UTF-8', '\0\xff\xfe\n\xc3', { lines: ['\0\xff\xfe', '\xc3'], malformed: 0 }],
  ['nothing', '', { lines: [], malformed: 0 }],
])('%s are found wherever they are cut', (_name, text, expected) => {
  expect(scan(text)).toEqual(expected)
  expect(scan(...text.split(''))).toEqual(expected)
  const step = Math.ceil(text.length / 50) || 1
  for (let at = 0; at <= text.length; at += step)
    expect(scan(text.slice(0, at), text.slice(at)), `cut at ${at}`).toEqual(expected)
})

test('a line without end is malformed once and held nowhere', () => {
  const scanner = new LineScanner(() => expect.unreachable())
  for (let at = 0; at < 1_000; at++) scanner.push(Buffer.alloc(10_000, 'x'))
  expect([scanner.malformed, scanner.partial, scanner.ended]).toEqual([1, true, 0])
  scanner.push(Buffer.from('x\n'))
  expect([scanner.malformed, scanner.partial, scanner.ended]).toEqual([1, false, 1])
})
