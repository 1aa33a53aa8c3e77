import { expect, test } from 'vitest'
import { Chunk, type Post } from './chunk.ts'
import { chunkBytesMax, chunkLinesMax } from '../limits.ts'
import { forEachLine, readStoredLine, blankLine, type StoredLine } from './stored-line.ts'
import { blankMessage, readMessage } from '../syslog/message.ts'

const source = Buffer.from('heroku')
const now = Buffer.from('2026-11-21T10:00:00.000000+00:00')
const clock = () => now

function add(chunk: Chunk, text: string, post?: Post): number {
  const bytes = Buffer.from(text, 'latin1')
  const message = blankMessage()
  expect(readMessage(bytes, 0, bytes.length, message)).toBe(true)
  return chunk.add(bytes, message, source, clock, post)
}

function lines(frames: Uint8Array): Record<string, string>[] {
  const found: Record<string, string>[] = []
  const of = (start: number, end: number) =>
    Buffer.from(frames.subarray(start, end)).toString('latin1')
  forEachLine(frames, (line: StoredLine) =>
    found.push({
      pri: of(line.priStart, line.priEnd),
      time: of(line.timeStart, line.timeEnd),
      source: of(line.sourceStart, line.sourceEnd),
      proc: of(line.procStart, line.procEnd),
      msg: of(line.msgStart, line.end),
      body: of(line.bodyStart, line.end),
    }),
  )
  return found
}

test('a line is stored as the frame of an https drain, its message byte for byte', () => {
  const chunk = new Chunk()
  const size = add(chunk, '<158>1 2018-03-02T23:22:34.901697+00:00 hermes t.x router - - at=info\n')
  expect(Buffer.from(chunk.frames).toString()).toBe(
    '69 <158>1 2018-03-02T23:22:34.901697+00:00 host heroku router - at=info\n',
  )
  expect([size, chunk.size, chunk.count]).toEqual([72, 72, 1])
})

test('what was added is found again line by line, whatever the text is', () => {
  const chunk = new Chunk()
  const texts = ['', '-', '12 <1>1 - - - x', 'a\nb\n', '\0\xff > - [', 'y'.repeat(9_000), ' ']
  for (const text of texts) add(chunk, `<13>1 2026-11-21T09:00:00Z h t.x web.1 - - ${text}`)
  add(chunk, '<14>3 - h t.x - - - no time')
  const found = lines(chunk.frames)
  expect(found.map(({ msg }) => msg)).toEqual([...texts, 'no time'])
  expect(found.at(-1)).toMatchObject({
    pri: '14',
    time: now.toString(),
    source: 'heroku',
    proc: '-',
  })
  for (const { body } of found) expect(body).toMatch(/^<1[34]>1 2026-.{6,} host heroku \S+ - /s)
})

test('a chunk is full before it grows beyond its bounds', () => {
  const many = new Chunk()
  while (!many.full) add(many, '<13>1 - h t.x p - - x')
  expect(many.count).toBe(chunkLinesMax)
  const heavy = new Chunk()
  while (!heavy.full) add(heavy, `<13>1 - h t.x p - - ${'z'.repeat(10_200)}`)
  expect(heavy.size).toBeLessThanOrEqual(chunkBytesMax)
  expect(heavy.count).toBeGreaterThan(4)
})

test('where the lines of a post lie is noted, also when it comes again behind itself', () => {
  const chunk = new Chunk()
  const line = '<13>1 3 h t.x p - - x'
  const size = add(chunk, line)
  const post: Post = { id: 'p', lines: 600 }
  for (let at = 0; at < 3; at++) add(chunk, line, post)
  const again: Post = { id: 'p', lines: 0 }
  add(chunk, line, again)
  add(chunk, line)
  add(chunk, line, post)
  expect(chunk.parts).toEqual([
    { post: 'p', from: 600, to: 603, start: size, end: 4 * size },
    { post: 'p', from: 0, to: 1, start: 4 * size, end: 5 * size },
    { post: 'p', from: 603, to: 604, start: 6 * size, end: 7 * size },
  ])
  expect([post.lines, again.lines]).toEqual([604, 1])
})

test('damage is said, not read over', () => {
  const chunk = new Chunk()
  add(chunk, '<13>1 - h t.x p - - hello')
  const line = blankLine()
  expect(() => readStoredLine(chunk.frames.subarray(3), 0, line)).toThrow('no stored line')
  expect(() => readStoredLine(chunk.frames.subarray(0, 20), 0, line)).toThrow(
    'no whole stored line',
  )
  expect(() => readStoredLine(Buffer.from('5 abcde'), 0, line)).toThrow('has no header')
})
