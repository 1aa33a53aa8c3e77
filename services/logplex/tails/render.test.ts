import { expect, test } from 'vitest'
import { filterOf } from '../../../test/support/log-filters.ts'
import { ByteWriter } from '../byte-writer.ts'
import { chunked } from './chunked.ts'
import { renderLines } from './render.ts'
import { sse } from './sse.ts'
import type { TailFormat } from './tail-format.ts'
import { websocketJson, websocketText } from './websocket.ts'

const time = '2019-01-12T11:45:26.371000+00:00'
const frame = (source: string, proc: string, message: string): Buffer => {
  const body = Buffer.from(`<190>1 ${time} host ${source} ${proc} - ${message}`)
  return Buffer.concat([Buffer.from(`${body.length} `), body])
}
const chunk = (first: number, ...frames: Buffer[]) => ({
  first,
  count: frames.length,
  frames: Buffer.concat(frames),
})
const all = filterOf()
const render = (format: TailFormat, ...messages: string[]): string => {
  const frames = messages.map((message) => frame('app', 'web.1', message))
  return renderLines([chunk(7, ...frames)], 0, all, format).bytes.toString()
}

test('an event holds one line, with its number as id', () => {
  expect(render(sse, 'hi', 'there\n')).toBe(
    `id: 7\ndata: ${time} app[web.1]: hi\n\nid: 8\ndata: ${time} app[web.1]: there\n\n`,
  )
})

test('every line of a message of several has a data field of its own, whatever ends it', () => {
  expect(render(sse, 'Error\n  at x\r\n  at y\rz\n')).toBe(
    `id: 7\ndata: ${time} app[web.1]: Error\ndata:   at x\ndata:   at y\ndata: z\n\n`,
  )
})

test('an empty message is a line of its own', () => {
  const empty = `id: 7\ndata: ${time} app[web.1]: \n\n`
  expect(render(sse, '')).toBe(empty)
  expect(render(sse, '\n')).toBe(empty)
  expect(render(chunked, '')).toBe(`${time} app[web.1]: \n`)
})

test('text keeps the newlines of a message and ends it with one', () => {
  expect(render(chunked, 'a\nb', 'c\n')).toBe(`${time} app[web.1]: a\nb\n${time} app[web.1]: c\n`)
})

test('a WebSocket message begins with the number of its newest line', () => {
  expect(render(websocketText, 'a', 'b')).toBe(`8\n${time} app[web.1]: a\n${time} app[web.1]: b\n`)
})

test('a WebSocket message of JSON holds each line, whatever is in it, on a line of its own', () => {
  const message = 'say "hi"\\ \t\u0001\u001b[1mü\u2028\nagain\r\n'
  const [head, ...lines] = render(websocketJson, message, '', '\n').trimEnd().split('\n')
  expect(head).toBe('9')
  const line = { time, source: 'app', dyno: 'web.1' }
  expect(lines.map((text) => JSON.parse(text) as unknown)).toEqual([
    { number: 7, ...line, message: message.slice(0, -2) },
    { number: 8, ...line, message: '' },
    { number: 9, ...line, message: '' },
  ])
})

test('names and times that are no such thing are JSON as well', () => {
  const body = Buffer.from('<190>1 "now" host a"p web\\1 - x')
  const frames = Buffer.concat([Buffer.from(`${body.length} `), body])
  const { bytes } = renderLines([{ first: 1, count: 1, frames }], 0, all, websocketJson)
  const line = { number: 1, time: '"now"', source: 'a"p', dyno: 'web\\1', message: 'x' }
  expect(JSON.parse(bytes.toString().slice(2))).toEqual(line)
})

test('what the plexer says itself is JSON like the lines', () => {
  const [number, text = ''] = websocketJson
    .notice(5, `${time} heroku[logplex]: Error L11 (x) -> "y"`)
    .toString()
    .split('\n')
  expect(number).toBe('5')
  expect(JSON.parse(text)).toEqual({
    ...{ number: 5, time, source: 'heroku', dyno: 'logplex' },
    message: 'Error L11 (x) -> "y"',
  })
})

test('lines before the wanted number are left out, in the middle of a chunk too', () => {
  const chunks = [
    chunk(1, frame('app', 'web.1', 'one'), frame('app', 'web.1', 'two')),
    chunk(3, frame('app', 'web.1', 'three')),
  ]
  const { bytes, lines } = renderLines(chunks, 2, all, chunked)
  expect(bytes.toString()).toBe(`${time} app[web.1]: two\n${time} app[web.1]: three\n`)
  expect(lines).toBe(2)
})

test('lines after the last wanted number are left out, and are not said to be seen', () => {
  const chunks = [chunk(1, ...['one', 'two', 'three'].map((text) => frame('app', 'web.1', text)))]
  const { bytes } = renderLines(chunks, 1, all, websocketText, 2)
  expect(bytes.toString()).toBe(`2\n${time} app[web.1]: one\n${time} app[web.1]: two\n`)
})

test.each([
  ['', '', 'abcdef'],
  ['app', '', 'abcd'],
  ['ap', '', ''],
  ['', 'web.1', 'a'],
  ['', 'web', 'abe'],
  ['', 'we', ''],
  ['', 'web.', ''],
  ['app', 'web', 'ab'],
  ['heroku', 'router', 'f'],
])('the filter source=%j dyno=%j lets %j pass', (source, dyno, expected) => {
  const chunks = [
    chunk(
      1,
      frame('app', 'web.1', 'a'),
      frame('app', 'web.12', 'b'),
      frame('app', 'webhook.1', 'c'),
      frame('app', 'worker.1', 'd'),
      frame('heroku', 'web', 'e'),
      frame('heroku', 'router', 'f'),
    ),
  ]
  const { bytes, lines } = renderLines(chunks, 0, filterOf({ source, dyno }), chunked)
  const shown = [...bytes.toString().matchAll(/: (\w)\n/g)].map(([, letter]) => letter).join('')
  expect(shown).toBe(expected)
  expect(lines).toBe(expected.length)
})

test('bytes that are no UTF-8 pass through untouched', () => {
  const body = Buffer.concat([
    Buffer.from(`<190>1 ${time} host app web.1 - `),
    Buffer.from([0xff, 0x00]),
  ])
  const frames = Buffer.concat([Buffer.from(`${body.length} `), body])
  const { bytes } = renderLines([{ first: 1, count: 1, frames }], 0, all, chunked)
  expect([...bytes.subarray(-3)]).toEqual([0xff, 0x00, 0x0a])
})

test('the writer grows and writes numbers of any length', () => {
  const writer = new ByteWriter(0)
  for (const number of [0, 9, 10, 99, 100, 123_456_789_012]) {
    writer.number(number)
    writer.byte(0x20)
  }
  writer.copy(Buffer.alloc(1_000, 'x'))
  expect(writer.finish().toString()).toBe(`0 9 10 99 100 123456789012 ${'x'.repeat(1_000)}`)
})
