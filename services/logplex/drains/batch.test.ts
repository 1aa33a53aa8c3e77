import { expect, test } from 'vitest'
import { storedLines } from '../../../test/support/stored-lines.ts'
import { ByteWriter } from '../byte-writer.ts'
import { blankLine, readStoredLine } from '../app-log/stored-line.ts'
import { must } from '#lib/assert.ts'
import { composeBatch, frameIdOf, lossOfOthers } from './batch.ts'
import { httpsFrame, syslogFrame, type DrainFrame } from './drain-frame.ts'
import { rfc5424Frame } from './rfc5424-frame.ts'

const token = 'd.9173ea1f-6f14-4976-9cf0-7cd0dafdcdbc'
const nothingLost = { count: 0, since: '' }
const chunk = (first: number, messages: string[]) => ({
  first,
  count: messages.length,
  frames: storedLines(messages),
})
const options = {
  drainId: 'x',
  from: 1,
  last: Infinity,
  limits: { bytesMax: 100_000, linesMax: 500 },
  loss: nothingLost,
  frame: httpsFrame,
}

function frameOf(format: DrainFrame, stored: Buffer): string {
  const writer = new ByteWriter(16)
  const line = blankLine()
  readStoredLine(stored, 0, line)
  format.writeLine(writer, stored, line, 1)
  return writer.finish().toString()
}

test('an https drain gets the line without structured data and without an added newline', () => {
  const golden =
    '<158>1 2012-10-11T03:47:20+00:00 host heroku router - at=info method=GET path=/ host=myapp.herokuapp.com request_id=8601b555-6a83-4c12-8269-97c8e32cdb22 fwd="204.204.204.204" dyno=web.1 connect=1ms service=18ms status=200 bytes=13 tls_version=tls1.1 protocol=http\n'
  const message = golden.slice(golden.indexOf('at=info'))
  const router = { pri: 158, time: '2012-10-11T03:47:20+00:00', source: 'heroku', proc: 'router' }
  const stored = storedLines([message], router)
  expect(frameOf(httpsFrame, stored)).toBe(`264 ${golden}`)
})

test('a syslog drain gets RFC 5424 with the drain token as host and a newline', () => {
  const stored = storedLines(['text'], { time: '2013-01-01T01:01:01.000000+00:00' })
  const body = `<190>1 2013-01-01T01:01:01.000000+00:00 ${token} app web.1 - - text\n`
  expect(frameOf(syslogFrame(token), stored)).toBe(`${body.length} ${body}`)
})

test.each([
  ['text\n', 'text\n'],
  ['', '\n'],
  ['\n', '\n'],
  ['a\nb', 'a\nb\n'],
  ['žluť', 'žluť\n'],
])('the length of a syslog frame counts the bytes of %j', (message, sent) => {
  const frame = frameOf(syslogFrame(token), storedLines([message]))
  const [length = '', ...rest] = frame.split(' ')
  expect(Number(length)).toBe(Buffer.byteLength(rest.join(' ')))
  expect(frame.endsWith(` - - ${sent}`)).toBe(true)
})

test('a loss goes first, is one more frame, and says how many and since when', () => {
  const loss = { count: 3, since: '2014-11-07T23:29:45+00:00' }
  const batch = composeBatch([chunk(1, ['one', 'two'])], { ...options, loss })
  expect(batch).toMatchObject({ first: 1, last: 2, frames: 3, loss })
  const [length = '', rest = ''] =
    /^(\d+) ([^]*)$/.exec(batch?.bytes.toString() ?? '')?.slice(1) ?? []
  expect(rest.slice(0, Number(length))).toMatch(
    /^<172>1 \S+ host heroku logplex - Error L10 \(output buffer overflow\): 3 messages dropped since 2014-11-07T23:29:45\+00:00\.$/,
  )
  expect(rest.slice(Number(length))).toBe(storedLines(['one', 'two']).toString())
})

test.each([
  ['https', httpsFrame],
  ['syslog', syslogFrame(token)],
  ['rfc5424', rfc5424Frame(token)],
])('the length of an L10 over %s counts the bytes of a time that is none', (_, frame) => {
  const writer = new ByteWriter(16)
  frame.writeLoss(writer, { count: 3, since: '2026-é' })
  const bytes = writer.finish()
  const space = bytes.indexOf(' ')
  expect(Number(bytes.toString('latin1', 0, space))).toBe(bytes.length - space - 1)
})

test('a syslog drain hears of a loss in its own form', () => {
  const loss = { count: 500, since: '2013-04-17T19:04:46+00:00' }
  const batch = composeBatch([chunk(1, ['one'])], { ...options, loss, frame: syslogFrame(token) })
  expect(batch?.bytes.toString()).toMatch(
    new RegExp(
      `^\\d+ <172>1 \\S+ ${token} heroku logplex - - Error L10 \\(output buffer overflow\\): 500 messages dropped since 2013-04-17T19:04:46\\+00:00\\.\n\\d+ <190>`,
    ),
  )
})

test('a batch ends at its limits or at the wanted line, and begins in the middle of a chunk', () => {
  const chunks = [chunk(1, ['1', '2', '3']), chunk(4, ['4', '5', '6'])]
  const size = storedLines(['1']).length
  const range = (change: Partial<typeof options>): number[] => {
    const batch = composeBatch(chunks, { ...options, ...change })
    return batch ? [batch.first, batch.last, batch.bytes.length / size] : []
  }
  expect(range({})).toEqual([1, 6, 6])
  expect(range({ from: 2 })).toEqual([2, 6, 5])
  expect(range({ from: 3, last: 4 })).toEqual([3, 4, 2])
  expect(range({ limits: { bytesMax: 100_000, linesMax: 7 } })).toEqual([1, 6, 6])
  // Not behind the fourth, in the middle of a chunk: the next batch would begin there.
  expect(range({ limits: { bytesMax: 100_000, linesMax: 4 } })).toEqual([1, 3, 3])
  const cut = { frame: syslogFrame(token), limits: { bytesMax: 100_000, linesMax: 4 } }
  expect(range(cut).slice(0, 2)).toEqual([1, 4])
  expect(range({ limits: { bytesMax: size * 2 + 1, linesMax: 500 } })).toEqual([1, 2, 2])
  expect(range({ limits: { bytesMax: 1, linesMax: 500 } })).toEqual([1, 1, 1])
  expect(range({ from: 7 })).toEqual([])
})

test('chunks that fit are sent as they are stored, one alone without a copy', () => {
  const chunks = [chunk(1, ['1', '2']), chunk(3, ['3']), chunk(4, ['4', '5'])]
  const all = composeBatch(chunks, options)
  expect(all).toMatchObject({ first: 1, last: 5, lines: 5, frames: 5 })
  expect(String(all?.bytes)).toBe(String(storedLines(['1', '2', '3', '4', '5'])))
  const [one] = chunks
  const alone = composeBatch(chunks, { ...options, limits: { bytesMax: 100_000, linesMax: 2 } })
  expect(alone).toMatchObject({ first: 1, last: 2, firstTime: '2026-11-21T10:11:12.123456+00:00' })
  expect(alone?.bytes.buffer).toBe(one?.frames.buffer)
  expect(alone?.bytes.byteOffset).toBe(one?.frames.byteOffset)
})

test('the same lines have the same frame id of 32 upper hex digits, other lines another', () => {
  const id = (from: number): string =>
    frameIdOf(must(composeBatch([chunk(1, ['1', '2', '3'])], { ...options, from }), 'batch'))
  expect(id(1)).toMatch(/^[0-9A-F]{32}$/)
  expect(id(1)).toBe(id(1))
  expect(id(1)).not.toBe(id(2))
})

test("the plexer's own lines are told from the app's", () => {
  const own = storedLines(['x'], { source: 'heroku', proc: 'logplex' })
  const frames = Buffer.concat([own, storedLines(['a']), own])
  expect(lossOfOthers([{ first: 5, count: 3, frames }], 5, 7)).toEqual({
    count: 1,
    since: '2026-11-21T10:11:12.123456+00:00',
  })
  expect(lossOfOthers([{ first: 5, count: 3, frames }], 7, 7)).toEqual({ count: 0, since: '' })
})

test('what is told of certificates is not for drains, and is passed over', () => {
  const own = { pri: 188, source: 'heroku', proc: 'logplex' }
  const frames = Buffer.concat([
    storedLines(['one']),
    storedLines(['Error L14 (certificate validation): error="x" uri="y"'], own),
    storedLines(['Error L10 (output buffer overflow): 1 messages dropped since x.'], own),
    storedLines(['Error L14 of an app']),
  ])
  const batch = composeBatch([{ first: 1, count: 4, frames }], options)
  expect(batch).toMatchObject({ first: 1, last: 4, lines: 3, frames: 3 })
  expect(String(batch?.bytes)).not.toContain('certificate validation')
  expect(String(batch?.bytes)).toMatch(/L10.*L14 of an app$/)
})
