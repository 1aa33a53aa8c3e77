import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { messageBytesMax } from './limits.ts'
import { forEachPiece, isTooLong } from './long-lines.ts'

function split(message: Buffer): string[] {
  const pieces: string[] = []
  // Among other bytes, as in a socket's reading.
  const bytes = Buffer.concat([Buffer.from('before'), message, Buffer.from('after')])
  forEachPiece(bytes, 6, 6 + message.length, (start, end, mark) =>
    pieces.push(Buffer.concat([bytes.subarray(start, end), mark]).toString('latin1')),
  )
  return pieces
}

/** As the decision record tells a reader to do it. */
function join(pieces: string[]): string {
  const parts = pieces.map((piece) => {
    const found = /^(?<text>.*) part=(?<at>\d+)\/(?<of>\d+) of=(?<sum>[0-9a-f]{8})\n?$/s.exec(piece)
    if (!found?.groups) throw new Error(`no part: ${piece.slice(-40)}`)
    return found.groups
  })
  expect(parts.map(({ at, of }) => `${at}/${of}`)).toEqual(
    parts.map((_, at) => `${at + 1}/${parts.length}`),
  )
  const text = parts.map((part) => part['text']).join('')
  const sum = crc32(Buffer.from(text, 'latin1')).toString(16).padStart(8, '0')
  expect(new Set(parts.map((part) => part['sum']))).toEqual(new Set([sum]))
  return text
}

test.each<[string, string]>([
  ['one byte too many', 'x'.repeat(10_001)],
  ['what log-shuttle would send in three', 'y'.repeat(29_800)],
  ['characters of four bytes', `a${'😀'.repeat(5_000)}`],
  ['characters of three bytes, on several lines', '€uro\n'.repeat(5_000)],
  ['nearly a megabyte', 'z'.repeat(1_000_000)],
])('a message too long is joined again from its pieces: %s', (_name, text) => {
  const message = Buffer.from(text)
  for (const ending of ['', '\n']) {
    const pieces = split(Buffer.concat([message, Buffer.from(ending)]))
    expect(pieces.length).toBeLessThanOrEqual(Math.ceil(message.length / 9_970))
    for (const piece of pieces) {
      const bytes = Buffer.from(piece, 'latin1')
      expect(bytes.length).toBeLessThanOrEqual(messageBytesMax + ending.length)
      expect(bytes.toString('utf8')).not.toContain('\ufffd')
    }
    expect(pieces.at(-1)?.endsWith('\n')).toBe(text.endsWith('\n') || ending === '\n')
    expect(Buffer.from(join(pieces), 'latin1').toString()).toBe(
      ending === '' ? text.replace(/\n$/, '') : text,
    )
  }
})

test('what is no UTF-8 is cut anywhere, and joined again', () => {
  const message = Buffer.alloc(40_000, 0x80)
  expect(Buffer.from(join(split(message)), 'latin1').equals(message)).toBe(true)
})

test('10,000 bytes are one line, with or without a newline at the end', () => {
  const judge = (text: string) => isTooLong(Buffer.from(text), 0, text.length)
  expect(judge('x'.repeat(10_000))).toBe(false)
  expect(judge(`${'x'.repeat(10_000)}\n`)).toBe(false)
  expect(judge(`${'x'.repeat(10_000)}y`)).toBe(true)
  expect(judge(`${'x'.repeat(10_000)}\n\n`)).toBe(true)
})
