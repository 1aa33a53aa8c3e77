import { expect, test } from 'vitest'
import { must } from '#lib/assert.ts'
import { newId, type AppId } from '#lib/ids.ts'
import { decodeOtlpLogs } from '../../../test/support/otlp-logs.ts'
import { storedLines } from '../../../test/support/stored-lines.ts'
import { noLoss } from '../loss.ts'
import { composeBatch } from './batch.ts'
import type { DrainFrame } from './drain-frame.ts'
import { jsonFrame } from './json-frame.ts'
import { otlpFrame } from './otlp-frame.ts'
import { rfc5424Frame } from './rfc5424-frame.ts'

const token = 'd.9173ea1f-6f14-4976-9cf0-7cd0dafdcdbc'
const appId = newId<AppId>()
const time = '2026-11-21T10:11:12.123456+00:00'

/** What a drain is sent of these lines, which are numbered from `first` on. */
function sent(frame: DrainFrame, stored: Buffer, { first = 1, loss = noLoss } = {}): Buffer {
  const options = { drainId: 'x', from: first, last: Infinity, loss, frame }
  const limits = { bytesMax: 100_000, linesMax: 500 }
  return must(composeBatch([{ first, count: 1, frames: stored }], { ...options, limits }), '').bytes
}

/** A stored line whose message is bytes. */
function storedBytes(message: number[]): Buffer {
  const body = Buffer.concat([
    Buffer.from(`<190>1 ${time} host app web.1 - `),
    Buffer.from(message),
  ])
  return Buffer.concat([Buffer.from(`${body.length} `), body])
}

const rfc5424 = (stored: Buffer, options = {}): string =>
  sent(rfc5424Frame(token), stored, options).toString()

test('rfc5424: the drain token is the host, and the number of the line the sequence id', () => {
  const body = `<190>1 ${time} ${token} app web.1 - [meta sequenceId="4711"] text`
  expect(rfc5424(storedLines(['text']), { first: 4_711 })).toBe(`${body.length} ${body}`)
})

test.each([
  ['text\r\n', 'text'],
  ['a\nb\n', 'a\nb'],
  ['', ''],
  ['žluť', 'žluť'],
])('rfc5424: the length counts the bytes of %j, without its end of line', (message, kept) => {
  const [length = '', ...rest] = rfc5424(storedLines([message])).split(' ')
  expect(Number(length)).toBe(Buffer.byteLength(rest.join(' ')))
  expect(rest.join(' ').endsWith(`"] ${kept}`)).toBe(true)
})

test.each([
  [{ time: '2026-11-21T10:11:12Z' }, '<190>1 2026-11-21T10:11:12.000000+00:00 '],
  [{ time: '2026-11-21t10:11:12.1234567+01:00' }, '<190>1 - '],
  [{ time: '2026-06-30T23:59:60Z' }, '<190>1 - '],
  [{ time: 'yesterday' }, '<190>1 - '],
  [{ pri: 255 }, '<191>1 '],
  [{ pri: 192 }, '<184>1 '],
  [{ source: 's'.repeat(60) }, ` ${'s'.repeat(48)} web.1 `],
  [{ proc: 'p'.repeat(200) }, ` app ${'p'.repeat(128)} - `],
  [{ proc: 'wéb' }, ' app w??b - '],
])('rfc5424: what the standard does not allow of %j is sent as it does', (fields, expected) => {
  expect(rfc5424(storedLines(['text'], fields))).toContain(expected)
})

test('rfc5424: sequence ids begin anew after the last one', () => {
  const id = (first: number): string =>
    /sequenceId="(\d+)"/.exec(rfc5424(storedLines(['x']), { first }))?.[1] ?? ''
  expect([2_147_483_647, 2_147_483_648, 4_294_967_295].map(id)).toEqual(['2147483647', '1', '1'])
})

test('rfc5424: a loss is told in a frame of its own', () => {
  const text = rfc5424(storedLines(['one']), { loss: { count: 3, since: time } })
  expect(text).toMatch(
    new RegExp(
      `^\\d+ <172>1 \\S+ ${token} heroku logplex - - Error L10 .*: 3 messages .*\\.\\d+ <190>`,
    ),
  )
  const [, length = '', rest = ''] = /^(\d+) (.*)$/s.exec(text) ?? []
  expect(rest.slice(Number(length))).toMatch(/^\d+ <190>1 /)
})

const json = (stored: Buffer, options = {}): unknown[] =>
  sent(jsonFrame(appId, token), stored, options)
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)

test('json: an object a line, with whose it is', () => {
  const stored = storedLines(['say "hi"\n', 'a\nb'])
  const of = { app: appId, drain: token }
  const from = { time, source: 'app', dyno: 'web.1' }
  expect(json(stored, { first: 7 })).toEqual([
    { ...of, number: 7, ...from, message: 'say "hi"' },
    { ...of, number: 8, ...from, message: 'a\nb' },
  ])
})

test('json: what is no UTF-8 is replaced, for a receiver may refuse all of it', () => {
  const bytes = sent(jsonFrame(appId, token), storedBytes([0x61, 0xff, 0xe2, 0x82]))
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  expect(JSON.parse(text)).toMatchObject({ message: 'a\ufffd\ufffd\ufffd' })
})

test('json: a loss is an object without a number', () => {
  const [told, line] = json(storedLines(['one']), { loss: { count: 3, since: time } })
  expect(told).toEqual({
    ...{ app: appId, drain: token, time: expect.stringMatching(/^\d{4}-.*\+00:00$/) },
    ...{ source: 'heroku', dyno: 'logplex' },
    message: `Error L10 (output buffer overflow): 3 messages dropped since ${time}.`,
  })
  expect(line).toMatchObject({ number: 1, message: 'one' })
})

const otlp = (stored: Buffer, options = {}) =>
  decodeOtlpLogs(sent(otlpFrame(appId), stored, options))

test('otlp: a request of one resource, the app, with a record for each line', () => {
  const before = BigInt(Date.now()) * 1_000_000n
  const { resource, scope, records } = otlp(storedLines(['one\n', 'žluť']), { first: 4_711 })
  expect(resource).toEqual({
    ...{ 'heroku.app.id': appId, 'service.name': appId, 'cloud.provider': 'heroku' },
  })
  expect(scope).toBe('plexus/logplex')
  const of = { 'heroku.source': 'app', 'heroku.dyno': 'web.1', 'syslog.facility.code': 23 }
  expect(records).toEqual(
    ['one', 'žluť'].map((body, index) => ({
      timeUnixNano: BigInt(Date.parse('2026-11-21T10:11:12Z')) * 1_000_000n + 123_456_000n,
      observedTimeUnixNano: expect.any(BigInt),
      ...{ severityNumber: 9, severityText: 'info', body },
      attributes: {
        ...of,
        'log.record.uid': `${appId}:${4_711 + index}`,
        'logplex.line.number': 4_711 + index,
      },
    })),
  )
  expect(Number(records[0]?.observedTimeUnixNano)).toBeGreaterThanOrEqual(Number(before))
})

test.each([
  ...[
    [0, 21, 'emerg'],
    [1, 19, 'alert'],
    [2, 18, 'crit'],
    [3, 17, 'err'],
    [4, 13, 'warning'],
  ],
  ...[
    [5, 10, 'notice'],
    [6, 9, 'info'],
    [7, 5, 'debug'],
    [255, 5, 'debug'],
  ],
] as const)('otlp: PRI %i is severity %i, %s', (pri, severityNumber, severityText) => {
  const facility = { 'syslog.facility.code': Math.floor(pri / 8) }
  expect(otlp(storedLines(['x'], { pri })).records[0]).toMatchObject({
    ...{ severityNumber, severityText, attributes: facility },
  })
})

test.each(['-', 'yesterday', '1969-12-31T23:59:59Z'])('otlp: %s is no known time', (sentTime) => {
  const [record] = otlp(storedLines(['x'], { time: sentTime })).records
  expect(record?.timeUnixNano).toBe(0n)
  expect(record?.observedTimeUnixNano).toBeGreaterThan(0n)
})

test('otlp: sizes are right for texts of all lengths, and bytes that are no UTF-8 are replaced', () => {
  for (const length of [0, 1, 100, 127, 128, 200, 10_000]) {
    const body = 'x'.repeat(length)
    expect(otlp(storedLines([body], { proc: `p${body.slice(0, 200)}` })).records).toMatchObject([
      { body },
    ])
  }
  expect(otlp(storedBytes([0xff, 0x61, 0xc3])).records[0]?.body).toBe('\ufffda\ufffd')
  expect(otlp(storedLines(['x']), { first: 2 ** 53 - 2 }).records[0]?.attributes).toMatchObject({
    'logplex.line.number': 2 ** 53 - 2,
  })
})

test('otlp: a loss is a record of the plexer, and no line', () => {
  const [told, line] = otlp(storedLines(['x']), { loss: { count: 3, since: time } }).records
  expect(told).toMatchObject({
    ...{ severityNumber: 13, severityText: 'warning' },
    body: `Error L10 (output buffer overflow): 3 messages dropped since ${time}.`,
  })
  expect(told?.attributes).toEqual({
    ...{ 'heroku.source': 'heroku', 'heroku.dyno': 'logplex', 'syslog.facility.code': 21 },
  })
  expect(line?.body).toBe('x')
})
