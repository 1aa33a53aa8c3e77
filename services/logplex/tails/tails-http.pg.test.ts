import { connect, type Socket } from 'node:net'
import fastify, { type FastifyInstance } from 'fastify'
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import { WebSocket } from 'ws'
import { newId, type AccountId, type AppId, type SessionId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { openTestLog, type TestLog } from '../../../test/support/logs.ts'
import { storedLines } from '../../../test/support/stored-lines.ts'
import type { AppLog } from '../app-log/app-log.ts'
import type { LogSession } from '../log-session.ts'
import { findStart } from './history.ts'
import type { TailLimits } from './limits.ts'
import { lineFilter } from './line-filter.ts'
import { Switches } from '../switches.ts'
import { registerTails } from './tails-http.ts'

let log: TestLog
const sessions = new Map<SessionId, LogSession>()
const revoked = new Set<AccountId>()
const closing: (() => unknown)[] = []

beforeAll(async () => {
  log = await openTestLog(inject('engines'), { bytesPerAppMax: 200_000 })
})

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

afterAll(() => log.close())

const serve = async (limits: Partial<TailLimits> = {}): Promise<string> => {
  const server: FastifyInstance = fastify()
  await registerTails(server, {
    switches: new Switches(),
    appLog: log.appLog,
    findSession: async (id) => sessions.get(id),
    findRevocations: async () => (of) => revoked.has(of.accountId),
    log: silentLog,
    limits,
  })
  await server.listen({ port: 0, host: '127.0.0.1' })
  closing.push(() => server.close())
  const address = server.server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `http://127.0.0.1:${address.port}`
}

const session = (appId: AppId, options: Partial<LogSession> = {}): string => {
  const id = newId<SessionId>()
  const times = { createdAt: new Date(), endsAt: new Date(Date.now() + 3_600_000) }
  const accountId = newId<AccountId>()
  const defaults = { accountId, lines: 100, tail: true, source: '', dyno: '', ...times }
  sessions.set(id, { id, appId, ...defaults, ...options })
  return `/sessions/${id}`
}

const append = (appId: AppId, messages: string[], options = {}): Promise<unknown> =>
  log.appLog.append(appId, messages.length, storedLines(messages, options))

const numbered = (from: number, to: number, length = 0): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => `n${from + index}`.padEnd(length, '.'))

/** A streaming GET whose text so far can be looked at. */
async function open(url: string, headers: Record<string, string> = {}) {
  const stop = new AbortController()
  closing.push(() => stop.abort())
  const answer = await fetch(url, { headers, signal: stop.signal })
  const seen = { answer, text: '', ended: false, stop: () => stop.abort() }
  void (async () => {
    const decoder = new TextDecoder()
    for await (const bytes of answer.body ?? [])
      seen.text += decoder.decode(bytes, { stream: true })
    seen.ended = true
  })().catch(() => undefined)
  return seen
}

const openSse = (url: string, lastEventId?: number) =>
  open(url, {
    accept: 'text/event-stream',
    ...(lastEventId !== undefined && { 'last-event-id': String(lastEventId) }),
  })

/** `id message` of the events that hold a line. */
const events = (text: string): string[] =>
  [...text.matchAll(/id: (\d+)\ndata: \S+ \S+: ([^\n]*)/g)].map(([, id, data]) => `${id} ${data}`)

/** A WebSocket whose lines so far, last number and close code can be looked at. */
async function follow(url: string) {
  const socket = new WebSocket(url)
  closing.push(() => socket.terminate())
  const seen = { lines: [] as string[], last: 0, code: 0, socket }
  socket.on('message', (data: Buffer, isBinary) => {
    expect(isBinary).toBe(false)
    const [number, ...lines] = data.toString().split('\n')
    seen.last = Number(number)
    seen.lines.push(...lines.filter(Boolean).map((line) => line.slice(line.indexOf(': ') + 2)))
  })
  socket.on('close', (code) => (seen.code = code))
  await new Promise((resolve) => socket.once('open', resolve))
  return seen
}

test('an unknown session is told so, by HTTP and in the place of an upgrade', async () => {
  const url = await serve()
  for (const id of [newId(), 'nonsense']) {
    const { answer } = await openSse(`${url}/sessions/${id}`)
    expect(answer.status).toBe(404)
  }
  const socket = new WebSocket(`${url.replace('http', 'ws')}/sessions/${newId()}`)
  const error = await new Promise<Error>((resolve) => socket.once('error', resolve))
  expect(error.message).toContain('404')
})

test('without tail: retry first, then the newest lines, then the end', async () => {
  const url = await serve()
  const appId = newId<AppId>()
  await append(appId, numbered(1, 10))
  const tail = await openSse(url + session(appId, { lines: 3, tail: false }))
  expect(tail.answer.headers.get('content-type')).toBe('text/event-stream')
  await eventually(() => expect(tail.ended).toBe(true))
  expect(tail.text.startsWith('retry: 1\n\n')).toBe(true)
  expect(tail.text).toContain('data: 2026-11-21T10:11:12.123456+00:00 app[web.1]: n8\n\n')
  expect(events(tail.text)).toEqual(['8 n8', '9 n9', '10 n10'])
})

test('an app without lines: nothing, and the end', async () => {
  const url = await serve()
  const tail = await openSse(url + session(newId<AppId>(), { tail: false }))
  await eventually(() => expect(tail.ended).toBe(true))
  expect(tail.text).toBe('retry: 1\n\n')
})

test('history goes over into what is written meanwhile, without a gap or a repeat', async () => {
  const url = await serve()
  const appId = newId<AppId>()
  await append(appId, numbered(1, 50))
  const writing = (async () => {
    for (let n = 51; n <= 150; n++) await append(appId, [`n${n}`])
  })()
  const tail = await openSse(url + session(appId, { lines: 20 }))
  await writing
  await eventually(() => expect(events(tail.text).at(-1)).toBe('150 n150'))
  const first = Number(events(tail.text)[0]?.split(' ')[0])
  expect(first).toBeGreaterThan(30)
  expect(events(tail.text)).toEqual(numbered(first, 150).map((text) => `${text.slice(1)} ${text}`))
})

test('a filtered history is looked for with no more than a batch in memory', async () => {
  const appId = newId<AppId>()
  const noise = (): Promise<unknown> => append(appId, numbered(1, 30, 200))
  for (const found of ['a', 'b', 'c', 'd']) {
    for (let chunk = 0; chunk < 5; chunk++) await noise()
    await append(appId, [found], { proc: 'worker.1' })
  }
  const held: number[] = []
  const readBack: AppLog['readBack'] = async (...question) => {
    const reading = await log.appLog.readBack(...question)
    held.push(reading.chunks.reduce((sum, { frames }) => sum + frames.length, 0))
    return reading
  }
  const filter = lineFilter('', 'worker')
  const start = (lines: number) =>
    findStart({ ...log.appLog, readBack }, appId, filter, lines, 20_000)
  expect(await start(1)).toEqual({ from: 604, head: 604 })
  expect(held).toHaveLength(1)
  expect(await start(3)).toEqual({ from: 302, head: 604 })
  expect(await start(4)).toEqual({ from: 151, head: 604 })
  expect(await start(100)).toEqual({ from: 151, head: 604 })
  expect(Math.max(...held)).toBeLessThanOrEqual(20_000)
  expect(await findStart(log.appLog, appId, lineFilter('', 'none'), 9, 20_000)).toEqual({
    from: 605,
    head: 604,
  })
})

test('filters apply before the count: the newest matching lines are found far back', async () => {
  const url = await serve()
  const appId = newId<AppId>()
  await append(appId, numbered(1, 5), { proc: 'worker.1' })
  for (let chunk = 0; chunk < 10; chunk++) await append(appId, numbered(1, 30))
  const tail = await openSse(url + session(appId, { lines: 3, dyno: 'worker' }))
  await eventually(() => expect(events(tail.text)).toEqual(['3 n3', '4 n4', '5 n5']))
  await append(appId, ['router'], { source: 'heroku', proc: 'router' })
  await append(appId, ['live'], { proc: 'worker.2' })
  await eventually(() => expect(events(tail.text).slice(3)).toEqual(['307 live']))
})

test('no history at all when none is wanted', async () => {
  const url = await serve()
  const appId = newId<AppId>()
  await append(appId, ['old'])
  const tail = await open(url + session(appId, { lines: 0 }))
  await append(appId, ['new'])
  await eventually(() => expect(tail.text).toMatch(/^\S+ app\[web\.1\]: new\n$/))
  expect(tail.answer.headers.get('content-type')).toContain('text/plain')
})

test('a client that comes back goes on after the line that it had, in another process too', async () => {
  const [one, other] = [await serve(), await serve()]
  const appId = newId<AppId>()
  const path = session(appId)
  await append(appId, numbered(1, 3))
  const before = await openSse(one + path)
  await eventually(() => expect(events(before.text)).toHaveLength(3))
  before.stop()
  await append(appId, numbered(4, 6))
  const after = await openSse(other + path, 3)
  await append(appId, ['n7'])
  await eventually(() => expect(events(after.text)).toEqual(['4 n4', '5 n5', '6 n6', '7 n7']))
})

test('what the buffer has let go is told with its exact count, whatever the filters', async () => {
  const url = await serve()
  const appId = newId<AppId>()
  for (let from = 1; from < 5_000; from += 100) await append(appId, numbered(from, from + 99, 200))
  const { oldest } = await log.appLog.bounds(appId)
  expect(oldest).toBeGreaterThan(1_000)
  const path = session(appId, { tail: false, source: 'nobody' })
  const tail = await openSse(url + path, 10)
  await eventually(() => expect(tail.ended).toBe(true))
  expect(tail.text).toMatch(
    new RegExp(
      `^retry: 1\n\nid: ${oldest - 1}\ndata: \\S+ heroku\\[logplex\\]: Error L11 \\(Tail buffer overflow\\) -> This tail session dropped ${oldest - 11} messages since \\S+\\.\n\n$`,
    ),
  )
})

test('a reader that takes nothing loses lines and hears how many; another one loses none', async () => {
  const url = await serve()
  const appId = newId<AppId>()
  const path = session(appId, { lines: 0 })
  const { port } = new URL(url)
  const slow: Socket = connect(Number(port), '127.0.0.1')
  closing.push(() => slow.destroy())
  slow.write(`GET ${path} HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n`)
  await new Promise((resolve) => slow.once('data', resolve))
  slow.pause()
  const quick = await openSse(url + path)
  const total = 60_000
  for (let from = 1; from < total; from += 400) {
    await append(appId, numbered(from, from + 399, 400))
    await eventually(() => expect(quick.text.slice(-1_000)).toContain(`: n${from + 399}.`))
  }
  await eventually(() => expect(events(quick.text)).toHaveLength(total))
  expect(quick.text).not.toContain('L11')
  const got: Buffer[] = []
  slow.on('data', (bytes) => got.push(bytes))
  slow.resume()
  const text = await eventually(() => {
    const all = Buffer.concat(got).toString()
    expect(all).toContain(`id: ${total}\n`)
    return all
  })
  const told = [...text.matchAll(/This tail session dropped (\d+) messages/g)]
  const dropped = told.reduce((sum, [, count]) => sum + Number(count), 0)
  expect(dropped).toBeGreaterThan(0)
  expect([...text.matchAll(/^id: \d+\r?\ndata: \S+ app/gm)].length + dropped).toBe(total)
})

test('a silent stream is kept alive and says how far it has come', async () => {
  const url = await serve({ heartbeatSeconds: 0.05 })
  const appId = newId<AppId>()
  const sse = await openSse(url + session(appId, { source: 'app' }))
  const text = await open(url + session(appId))
  await append(appId, ['hidden'], { source: 'heroku' })
  await eventually(() => expect(sse.text).toMatch(/(: \nid: 0\n\n)*: \nid: 1\n\n/))
  await eventually(() => expect(text.text).toContain('\0'))
})

test('a stream ends after its time, and when its server stops', async () => {
  const url = await serve({ streamSecondsMax: 0.1 })
  const tail = await openSse(url + session(newId<AppId>()))
  await eventually(() => expect(tail.ended).toBe(true))

  const other = await openSse((await serve()) + session(newId<AppId>()))
  const stopServer = closing.at(-2)
  await stopServer?.()
  await eventually(() => expect(other.ended).toBe(true))
})

test('a stream ends with its session, however much of its own time is left', async () => {
  const url = await serve()
  const endsAt = new Date(Date.now() + 200)
  const tail = await openSse(url + session(newId<AppId>(), { endsAt }))
  await eventually(() => expect(tail.ended).toBe(true))
})

test('streams of a revoked session end, of every kind, and nobody else’s', async () => {
  const url = await serve({ revokedCheckSeconds: 0.05, endSecondsMax: 0.05 })
  const [appId, accountId] = [newId<AppId>(), newId<AccountId>()]
  const path = session(appId, { accountId, lines: 0 })
  const other = await openSse(url + session(appId, { lines: 0 }))
  const own = [await openSse(url + path), await open(url + path)]
  const socket = await follow(url.replace('http', 'ws') + path)
  // A long answer without tail, to a reader that takes its time.
  for (let from = 1; from < 1_000; from += 100)
    await append(appId, numbered(from, from + 99, 9_000))
  const slow: Socket = connect(Number(new URL(url).port), '127.0.0.1')
  closing.push(() => slow.destroy())
  const history = session(appId, { accountId, tail: false, lines: 1_500 })
  slow.write(`GET ${history} HTTP/1.1\r\nhost: x\r\n\r\n`)
  await new Promise((resolve) => slow.once('data', resolve))
  slow.pause()
  await eventually(() =>
    expect(own.map(({ text }) => text)).toEqual([
      expect.stringContaining('n1000'),
      expect.stringContaining('n1000'),
    ]),
  )
  expect([...own, other].map(({ ended }) => ended)).toEqual([false, false, false])
  revoked.add(accountId)
  await eventually(() => expect(own.map(({ ended }) => ended)).toEqual([true, true]))
  await eventually(() => expect(socket.code).toBe(1001))
  let got = ''
  let closed = false
  slow.on('data', (bytes) => (got = (got + bytes.toString()).slice(-20_000)))
  slow.on('error', () => undefined)
  slow.on('close', () => (closed = true))
  slow.resume()
  await eventually(() => expect(closed).toBe(true))
  expect(got).not.toContain('n1000')
  await append(appId, ['n1001'])
  await eventually(() => expect(other.text).toContain('n1001'))
  expect([...own.map(({ text }) => text), ...socket.lines].join()).not.toContain('n1001')
})

test('more streams than an app may have are refused, until one ends', async () => {
  const url = await serve({ tailsPerAppMax: 1 })
  const path = session(newId<AppId>())
  const first = await openSse(url + path)
  expect((await openSse(url + path)).answer.status).toBe(503)
  expect((await openSse(url + session(newId<AppId>()))).answer.status).toBe(200)
  first.stop()
  await eventually(async () => expect((await openSse(url + path)).answer.status).toBe(200))
})

test('a WebSocket gets batches that begin with the number reached, and resumes after it', async () => {
  const url = (await serve()).replace('http', 'ws')
  const appId = newId<AppId>()
  await append(appId, numbered(1, 5))
  const path = session(appId, { lines: 2 })
  const first = await follow(url + path)
  await append(appId, ['n6'])
  await eventually(() => expect(first.lines).toEqual(['n4', 'n5', 'n6']))
  first.socket.terminate()
  await append(appId, ['n7'])
  const again = await follow(`${url}${path}?after=${first.last}`)
  await append(appId, ['n8'])
  await eventually(() => expect(again.lines).toEqual(['n7', 'n8']))

  // The server stops: the client is to come back.
  await closing[0]?.()
  await eventually(() => expect(again.code).toBe(1001))
})

test('a WebSocket without tail is closed when all is said', async () => {
  const url = (await serve()).replace('http', 'ws')
  const appId = newId<AppId>()
  await append(appId, numbered(1, 8))
  const whole = await follow(url + session(appId, { tail: false }))
  await eventually(() => expect(whole.code).toBe(1000))
  expect(whole.lines).toEqual(numbered(1, 8))
})

test('bytes that are no UTF-8 do not break a WebSocket', async () => {
  const url = (await serve()).replace('http', 'ws')
  const appId = newId<AppId>()
  const socket = new WebSocket(url + session(appId, { lines: 0 }))
  closing.push(() => socket.terminate())
  const message = new Promise<string>((resolve) =>
    socket.once('message', (data: Buffer) => resolve(data.toString())),
  )
  await new Promise((resolve) => socket.once('open', resolve))
  const body = Buffer.concat([
    Buffer.from('<190>1 2026-11-21T10:11:12Z host app web.1 - '),
    Buffer.from([0xc3, 0x28, 0xff]),
  ])
  await log.appLog.append(appId, 1, Buffer.concat([Buffer.from(`${body.length} `), body]))
  expect(await message).toBe('1\n2026-11-21T10:11:12.000000+00:00 app[web.1]: �(�\n')
})

test('many tails of one app all get every line', async () => {
  const url = await serve()
  const appId = newId<AppId>()
  const path = session(appId, { lines: 0 })
  const tails = await Promise.all(Array.from({ length: 30 }, () => openSse(url + path)))
  for (let from = 1; from <= 200; from += 10) await append(appId, numbered(from, from + 9))
  for (const tail of tails) await eventually(() => expect(events(tail.text)).toHaveLength(200))
})
