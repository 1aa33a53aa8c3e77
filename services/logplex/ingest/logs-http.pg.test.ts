import type { ServerResponse } from 'node:http'
import { createHash, randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { crc32, gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { newId, type AppId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { fillIntake } from '../../../test/support/intake.ts'
import { keptMessages, linesOf, openTestLog, type TestLog } from '../../../test/support/logs.ts'
import { tokenLookupsPerSecondMax } from '../limits.ts'
import { CredentialTable, type Permission } from '../credential.ts'
import { newCounters, type IngestCounters } from './counters.ts'
import { Intake } from './intake.ts'
import { registerLogsHttp } from './logs-http.ts'
import { createLogsServer } from './logs-server.ts'
import { BytesInFlight } from './post-body.ts'
import { TokenLookup } from './token-lookup.ts'
import { TokenTable, type TokenRoute } from './token-table.ts'

let log: TestLog
let appId: AppId
let token: string
let tokens: TokenTable
let intake: Intake
let counters: IngestCounters
let credentials: CredentialTable
let longAnswer: ServerResponse
const closing: (() => unknown)[] = []

beforeEach(async () => {
  log = await openTestLog(inject('engines'))
  closing.push(() => log.close())
  appId = newId<AppId>()
  token = `t.${newId()}`
  tokens = new TokenTable()
  tokens.set(token, appId, 'app')
  credentials = new CredentialTable()
  counters = newCounters()
  intake = new Intake(log.appLog, counters)
})

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

/** `by`: what another process would have of its own. */
async function serve(bytesInFlightMax = 1_000_000, readMs?: number, by = {}): Promise<number> {
  const server = createLogsServer(readMs)
  // An answer that goes on until the test ends it, as a tail's does.
  server.get('/long', (_request, reply) => {
    longAnswer = reply.hijack().raw
    longAnswer.write('begun')
  })
  registerLogsHttp(server, {
    intake,
    counters,
    tokens,
    findCredential: (login) => Promise.resolve(credentials.find(login)),
    lookup: new TokenLookup(tokens, () => Promise.resolve(false)),
    inFlight: new BytesInFlight(bytesInFlightMax),
    log: silentLog,
    ...by,
  })
  await server.listen({ port: 0, host: '127.0.0.1' })
  closing.push(() => server.close())
  const address = server.server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** A post of which more can be written, and what came back: its head's first line, and the end. */
async function open(port: number, headers: Record<string, string>, as = `token:${token}`) {
  const socket: Socket = connect(port, '127.0.0.1')
  closing.push(() => socket.destroy())
  const seen = {
    status: '',
    closed: false,
    send: (text: string | Buffer) => socket.write(text),
    cut: () => socket.destroySoon(),
  }
  socket.on('error', () => undefined)
  socket.on('close', () => (seen.closed = true))
  socket.on('data', (bytes) => (seen.status ||= bytes.toString().split('\r\n')[0] ?? ''))
  await new Promise((resolve) => socket.once('connect', resolve))
  const authorization = `Basic ${Buffer.from(as).toString('base64')}`
  const all = { host: 'x', authorization, 'content-type': 'application/logplex-1', ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`POST /logs HTTP/1.1\r\n${lines.join('')}\r\n`)
  return seen
}

async function post(port: number, body: string | Buffer, headers = {}, as = `token:${token}`) {
  const seen = await open(port, { 'content-length': String(body.length), ...headers }, as)
  seen.send(body)
  return eventually(() => {
    expect(seen.status || seen.closed).toBeTruthy()
    return seen.status || 'closed'
  })
}

const message = (text: string): string => `<190>1 2026-11-21T09:00:00Z h t web.1 - - ${text}`
const frame = (text: string): string => `${Buffer.byteLength(message(text))} ${message(text)}`

const route = (): TokenRoute => {
  const bytes = Buffer.from(token)
  const found = tokens.find(bytes, 0, bytes.length)
  if (!found) throw new Error('no route')
  return found
}

test('a post whose body ends when there is no room any more is not answered, and not taken', async () => {
  const port = await serve()
  const text = frame('too late')
  const seen = await open(port, { 'content-length': String(text.length) })
  seen.send(text.slice(0, -1))
  await eventually(async () => {
    // The server has begun to read: another one on the same port is answered meanwhile.
    expect(await post(port, frame('before'))).toContain('204')
  })
  const lines = fillIntake(intake)
  seen.send(text.slice(-1))
  await eventually(() => expect(seen.closed).toBe(true))
  expect(seen.status).toBe('')
  expect(counters).toMatchObject({ received: 1, accepted: 1 + lines, droppedBufferFull: 0 })
  await eventually(() => expect(intake.heldBack).toBe(false), 20_000)
  expect(await post(port, frame('again'))).toContain('204')
  expect(await keptMessages(log.appLog, appId)).toEqual(['before', 'again'])
})

describe('a post that comes again', () => {
  const body = Array.from({ length: 1_200 }, (_, at) => frame(`line ${at}`)).join('')
  const lines = Array.from({ length: 1_200 }, (_, at) => `line ${at}`)

  test('to another process is answered as the first time and adds nothing', async () => {
    const other = await openTestLog(inject('engines'))
    closing.push(() => other.close())
    const otherTokens = new TokenTable()
    otherTokens.set(token, appId, 'app')
    const otherCounters = newCounters()
    const elsewhere = {
      intake: new Intake(other.appLog, otherCounters),
      counters: otherCounters,
      tokens: otherTokens,
      lookup: new TokenLookup(otherTokens, () => Promise.resolve(false)),
    }
    const ports = [await serve(), await serve(1_000_000, undefined, elsewhere)] as const
    const headers = { 'x-request-id': newId(), 'logplex-msg-count': '1200' }
    // As log-shuttle does: the connection breaks before the answer, and all is sent again.
    const broken = await open(ports[0], { ...headers, 'content-length': String(body.length) })
    broken.send(body)
    broken.cut()
    expect(await post(ports[1], body, headers)).toContain('204')
    expect(await post(ports[0], body, headers)).toContain('204')
    await eventually(() => expect(counters.accepted).toBe(counters.appended + counters.repeated))
    expect(await keptMessages(log.appLog, appId)).toEqual(lines)
    expect(counters.appended + otherCounters.appended).toBe(1_200)
    // With other lines it is another post, whatever it is called; so is one of another name.
    expect(await post(ports[0], frame('more'), headers)).toContain('400')
    expect(
      await post(ports[0], frame('more'), { 'x-request-id': headers['x-request-id'] }),
    ).toContain('204')
    const named = { 'logplex-frame-id': 'one', 'x-request-id': newId() }
    expect(await post(ports[0], frame('more'), named)).toContain('204')
    expect(await post(ports[1], frame('more'), { 'logplex-frame-id': 'one' })).toContain('204')
    expect(await keptMessages(log.appLog, appId)).toEqual([...lines, 'more', 'more'])
  })

  test('without an id is another post', async () => {
    const port = await serve()
    expect(await post(port, frame('x'))).toContain('204')
    expect(await post(port, frame('x'))).toContain('204')
    expect(await keptMessages(log.appLog, appId)).toEqual(['x', 'x'])
  })

  test('to where others send at the same time adds its own lines only', async () => {
    const port = await serve()
    const texts = Array.from({ length: 50 }, (_, at) => `line ${at}`)
    const send = (text: string) => post(port, frame(text), { 'x-request-id': `id of ${text}` })
    const answers = await Promise.all([...texts, ...texts].map(send))
    expect(new Set(answers)).toEqual(new Set(['HTTP/1.1 204 No Content']))
    expect((await keptMessages(log.appLog, appId)).toSorted()).toEqual(texts.toSorted())
    expect(counters).toMatchObject({ accepted: 100, appended: 50, repeated: 50 })
  })
})

test('a post whose lines the log does not take is not told that they are in it', async () => {
  const port = await serve()
  await log.appLog.remove(appId)
  expect(await post(port, frame('of a destroyed app'))).toContain('401')
  expect(counters).toMatchObject({ accepted: 1, appended: 0, droppedRemoved: 1 })
})

test('a post that a closing log does not take any more is not answered', async () => {
  const port = await serve()
  await log.appLog.close()
  expect(await post(port, frame('x'))).toBe('closed')
  expect(counters).toMatchObject({ accepted: 1, droppedClosed: 1 })
})

test('bodies that are under way take up so much together and no more', async () => {
  const port = await serve(20_000)
  const half = 'x'.repeat(9_000)
  const first = await open(port, { 'content-length': '9001' })
  const second = await open(port, { 'transfer-encoding': 'chunked' })
  first.send(half)
  second.send(`${half.length.toString(16)}\r\n${half}\r\n`)
  await eventually(async () => expect(await post(port, frame('y'.repeat(4_000)))).toBe('closed'))
  expect([first.closed, second.closed]).toEqual([false, false])
  first.send('x')
  await eventually(() => expect(first.status).toContain('400'))
  expect(await post(port, frame('y'.repeat(4_000)))).toContain('204')
  // What a packed body is unpacked to counts as well.
  const packed = gzipSync(frame('z'.repeat(9_900)).repeat(2))
  expect(packed.length).toBeLessThan(1_000)
  expect(await post(port, packed, { 'content-encoding': 'gzip' })).toBe('closed')
  second.send('0\r\n\r\n')
  await eventually(() => expect(second.status).toContain('400'))
  const small = gzipSync(frame('z'.repeat(9_900)))
  expect(await post(port, small, { 'content-encoding': 'gzip' })).toContain('204')
})

test('a chunked body that is too long is told so', async () => {
  const port = await serve(20_000_000)
  const seen = await open(port, { 'transfer-encoding': 'chunked' })
  const piece = 'x'.repeat(1_000_000)
  for (let at = 0; at < 9; at++) seen.send(`${piece.length.toString(16)}\r\n${piece}\r\n`)
  await eventually(() => expect(seen.status).toContain('413'))
})

test('a body of nearly 8,000,000 bytes is taken, packed and not, one after the other', async () => {
  const port = await serve(16_000_000)
  const body = frame('x'.repeat(10_000)).repeat(790)
  expect(body.length).toBeGreaterThan(7_900_000)
  expect(await post(port, body)).toContain('204')
  expect(await post(port, gzipSync(body), { 'content-encoding': 'gzip' })).toContain('204')
  expect(counters.appended).toBe(2 * 790)
})

test('a long message becomes lines of 10,000 bytes at most, of which it can be joined', async () => {
  const port = await serve()
  const text = `${'€'.repeat(8_000)}\nand more`
  const body = Buffer.from(frame(text) + frame(`${'x'.repeat(10_000)}\n`) + frame('last'))
  const id = { 'x-request-id': newId() }
  expect(await post(port, body, { ...id, 'logplex-msg-count': '3' })).toContain('204')
  expect(await post(port, body, { ...id, 'logplex-msg-count': '3' })).toContain('204')
  expect(counters).toMatchObject({ received: 6, split: 4, accepted: 10, appended: 5, repeated: 5 })
  const lines = await keptMessages(log.appLog, appId)
  const sum = crc32(text).toString(16).padStart(8, '0')
  const pieces = lines.slice(0, 3).map((line, at) => {
    const mark = ` part=${at + 1}/3 of=${sum}`
    expect(line.slice(-mark.length)).toBe(mark)
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(10_000)
    return line.slice(0, -mark.length)
  })
  expect(pieces.join('')).toBe(text)
  expect(lines.slice(3)).toEqual([`${'x'.repeat(10_000)}\n`, 'last'])
})

describe('a credential', () => {
  const framed = (to: string, text: string): string => {
    const body = `<190>1 2026-11-21T09:00:00Z h ${to} web.1 - - ${text}`
    return `${body.length} ${body}`
  }

  /** `id:password` */
  function newCredential(...permissions: Permission[]): string {
    const id = randomBytes(16).toString('hex').toUpperCase()
    const password = randomBytes(32).toString('hex').toUpperCase()
    const passwordSha256 = createHash('sha256').update(password).digest()
    credentials.replace([{ id, passwordSha256, permissions: new Set(permissions) }])
    return `${id}:${password}`
  }

  test('for any channel sends each line where its token says, once', async () => {
    const port = await serve()
    const other = { appId: newId<AppId>(), token: `t.${newId()}`, second: `t.${newId()}` }
    tokens.set(other.token, other.appId, 'app')
    tokens.set(other.second, other.appId, 'heroku')
    const as = newCredential('any_channel')
    const nobody = `t.${newId()}`
    const lines = [
      ...[framed(token, '1'), framed(other.token, '2'), framed(nobody, '3'), framed('x', '4')],
      ...[framed(other.second, '5'), framed(token, '6'), framed(other.token, '7')],
    ]
    const headers = { 'logplex-msg-count': '7', 'x-request-id': newId() }
    for (let time = 0; time < 2; time++)
      expect(await post(port, lines.join(''), headers, as)).toContain('204')
    expect(await keptMessages(log.appLog, appId)).toEqual(['1', '6'])
    const { chunks } = await log.appLog.readBack(other.appId, Infinity, 10_000)
    expect(linesOf(chunks)).toEqual(['1 app[web.1]: 2', '2 heroku[web.1]: 5', '3 app[web.1]: 7'])
    expect(counters).toMatchObject({ received: 14, unknownToken: 4, appended: 5, repeated: 5 })
  })

  test('for nothing of the kind is refused, and so is one with another password', async () => {
    const port = await serve()
    expect(await post(port, framed(token, 'x'), {}, newCredential('full_api'))).toContain('403')
    const [id] = newCredential('any_channel').split(':')
    expect(await post(port, framed(token, 'x'), {}, `${id}:${'0'.repeat(64)}`)).toContain('401')
    expect(await post(port, framed(token, 'x'), {}, `nobody:${'0'.repeat(64)}`)).toContain('401')
    expect(await keptMessages(log.appLog, appId)).toEqual([])
  })

  test('whose lines are for an app that was destroyed is not refused for it', async () => {
    const port = await serve()
    await log.appLog.remove(appId)
    expect(await post(port, framed(token, 'x'), {}, newCredential('any_channel'))).toContain('204')
    expect(counters.droppedRemoved).toBe(1)
  })
})

test('a token that cannot be looked up just now closes the connection', async () => {
  const port = await serve()
  const strangers = Array.from(
    { length: 2 * tokenLookupsPerSecondMax + 20 },
    () => `token:t.${newId()}`,
  )
  const answers = await Promise.all(strangers.map((as) => post(port, frame('x'), {}, as)))
  expect(answers).toContain('HTTP/1.1 401 Unauthorized')
  expect(answers).toContain('closed')
})

test('an app whose lines are all in the log is forgotten', async () => {
  const port = await serve()
  const posts = Array.from({ length: 20 }, (_, at) => post(port, frame(`line ${at}`)))
  expect(route().pending).toBeUndefined()
  await Promise.all(posts)
  expect(counters.appended).toBe(20)
  expect(route().pending).toBeUndefined()
  expect(await post(port, frame('one more'))).toContain('204')
  expect(await keptMessages(log.appLog, appId)).toHaveLength(21)
})

test('a post whose body stalls, or its headers, is closed in time; a long answer is not', async () => {
  const readMs = 200
  const port = await serve(1_000_000, readMs)
  const long = await fetch(`http://127.0.0.1:${port}/long`)
  const began = Date.now()
  const stalled = await open(port, { 'content-length': '100' })
  stalled.send('half')
  const dripping = connect(port, '127.0.0.1')
  closing.push(() => dripping.destroy())
  let closed = false
  dripping.on('close', () => (closed = true)).on('error', () => undefined)
  dripping.resume().write('POST /logs HTTP/1.1\r\n')
  const drip = setInterval(() => dripping.write('x: y\r\n'), 20)
  closing.push(() => clearInterval(drip))
  await eventually(() => expect([stalled.closed, closed]).toEqual([true, true]))
  expect(Date.now() - began).toBeGreaterThan(readMs - 50)
  expect(Date.now() - began).toBeLessThan(5 * readMs)
  // Time and again, while the answer goes on.
  const another = await open(port, { 'content-length': '100' })
  await eventually(() => expect(another.closed).toBe(true))
  longAnswer.end('done')
  expect(await long.text()).toBe('begundone')
})
