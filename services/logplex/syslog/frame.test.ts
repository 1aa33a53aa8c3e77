import { describe, expect, test } from 'vitest'
import { frameBytesMax, longCarriesBytesMax } from '../limits.ts'
import { FrameScanner } from './frame.ts'

type Scanned = { frames: string[]; malformed: number; partial: boolean }

function scan(...pieces: (string | Buffer)[]): Scanned {
  const frames: string[] = []
  const scanner = new FrameScanner((bytes, start, end) =>
    frames.push(Buffer.from(bytes.subarray(start, end)).toString('latin1')),
  )
  for (const piece of pieces) scanner.push(Buffer.from(piece as string))
  return { frames, malformed: scanner.malformed, partial: scanner.partial }
}

const whole = (frames: string[], malformed = 0): Scanned => ({ frames, malformed, partial: false })
const long = 'x'.repeat(frameBytesMax)

describe('a stream of frames', () => {
  test.each<[string, string | Buffer, Scanned]>([
    ['one frame', '3 abc', whole(['abc'])],
    ['frames one behind the other', '3 abc2 de', whole(['abc', 'de'])],
    ['a newline that is counted', '4 abc\n2 de', whole(['abc\n', 'de'])],
    ['newlines between frames', '3 abc\n2 de\r\n1 f', whole(['abc', 'de', 'f'])],
    ['a frame of spaces and digits', '5 3 abc2 de', whole(['3 abc', 'de'])],
    ['the longest frame', `${frameBytesMax} ${long}`, whole([long])],
    ['NULs and broken UTF-8', Buffer.from('4 \0\xff\xfe\0', 'latin1'), whole(['\0\xff\xfe\0'])],
    ['a frame too long', `${frameBytesMax + 1} ${long}y\n1 a`, whole(['a'], 1)],
    ['a huge length', '99999999999999999999 x\n1 a', whole(['a'], 1)],
    ['a length with a leading zero', '03 abc\n1 a', whole(['a'], 1)],
    ['no length', '<13>1 - - - hello\n1 a', whole(['a'], 1)],
    ['a length with no space', '12a\n1 a', whole(['a'], 1)],
    ['a leading space', ' 3 abc\r\n1 a', whole(['a'], 1)],
    ['lines that end with a newline only', 'one\ntwo\nthree\n', whole([], 3)],
    ['a negative length', '-3 abc\n1 a', whole(['a'], 1)],
  ])('%s', (_name, bytes, expected) => {
    expect(scan(bytes)).toEqual(expected)
  })

  test.each([
    '3 abc2 de',
    '12 hello world\n5 again',
    'x bad\n3 abc',
    '1x\n3 abc',
    '99999 a\n3 abc10 0123456789',
    '3 abc\r\n\n3 def',
  ])('means the same wherever it is cut: %j', (text) => {
    const expected = scan(text)
    for (let first = 0; first <= text.length; first++)
      for (let second = first; second <= text.length; second++)
        expect(
          scan(text.slice(0, first), text.slice(first, second), text.slice(second)),
          `cut at ${first} and ${second}`,
        ).toEqual(expected)
    expect(scan(...text.split(''))).toEqual(expected)
  })

  test('noise means the same however it is cut, and is never read beyond its end', () => {
    // Made of what frames are made of, by a small generator that says the same in every run.
    const alphabet = ['1', '2', '3 ', '9', '0', ' ', '\n', '\r\n', '<13>1 ', 'ab', '\0', '5 abcde']
    let seed = 7
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
      return (seed >>> 8) % below
    }
    for (let round = 0; round < 500; round++) {
      const text = Array.from({ length: 40 }, () => alphabet[random(alphabet.length)]).join('')
      const pieces: string[] = []
      for (let at = 0; at < text.length;) pieces.push(text.slice(at, (at += 1 + random(7))))
      expect({ text, ...scan(...pieces) }).toEqual({ text, ...scan(text) })
    }
  })

  test('digits without end are malformed at once and held nowhere', () => {
    const endless = Array.from({ length: 1_000 }, () => '1'.repeat(1_000))
    expect(scan(...endless)).toEqual({ frames: [], malformed: 1, partial: true })
    expect(scan(...endless, '\n3 abc')).toEqual(whole(['abc'], 1))
  })

  test('long frames that are not whole take up so much together and no more', () => {
    const taken: number[] = []
    const open = () => new FrameScanner((_bytes, start, end) => taken.push(end - start))
    const half = Buffer.from(`${frameBytesMax} ${long.slice(0, -1)}`)
    const some = Array.from({ length: longCarriesBytesMax / frameBytesMax - 1 }, open)
    for (const scanner of some) scanner.push(half)
    expect(some.every(({ malformed, partial }) => malformed === 0 && partial)).toBe(true)
    const late = open()
    late.push(half)
    expect([late.malformed, late.partial]).toEqual([1, true])
    // Frames of the usual length find room all the same, here and there.
    late.push(Buffer.from('\n3 ab'))
    late.push(Buffer.from('c'))
    const other = open()
    other.push(Buffer.from(`8000 ${'x'.repeat(7_999)}`))
    other.push(Buffer.from('x'))
    expect(taken).toEqual([3, 8_000])
    for (const scanner of some.slice(1)) scanner.end()
    some[0]?.push(Buffer.from('x'))
    late.push(half)
    late.push(Buffer.from('x'))
    expect(taken).toEqual([3, 8_000, frameBytesMax, frameBytesMax])
    expect([late.malformed, late.partial]).toEqual([1, false])
  })

  test('half a frame at the end counts as malformed', () => {
    const scanner = new FrameScanner(() => expect.unreachable())
    scanner.push(Buffer.from('10 abc'))
    expect([scanner.partial, scanner.malformed]).toEqual([true, 0])
    scanner.end()
    expect([scanner.partial, scanner.malformed]).toEqual([false, 1])
  })

  test('a long frame may come byte by byte', () => {
    expect(scan(...`20000 ${'x'.repeat(20_000)}`.split(''))).toEqual(whole(['x'.repeat(20_000)]))
  })
})
