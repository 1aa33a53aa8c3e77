import { connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import { WebSocket } from 'ws'
import { newId, type AccountId, type AppId } from '#lib/ids.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { events, numbered, openTestTails, type TestTails } from '../../../test/support/tails.ts'

let tails: TestTails

beforeAll(async () => {
  tails = await openTestTails(inject('engines'), { bytesPerAppMax: 200_000 })
})

afterEach(() => tails.closeConnections())

afterAll(() => tails.close())

test('an unknown session is told so, by HTTP and in the place of an upgrade', async () => {
  const url = await tails.serve()
  for (const id of [newId(), 'nonsense']) {
    const { answer } = await tails.openSse(`${url}/sessions/${id}`)
    expect(answer.status).toBe(404)
  }
  const socket = new WebSocket(`${url.replace('http', 'ws')}/sessions/${newId()}`)
  const error = await new Promise<Error>((resolve) => socket.once('error', resolve))
  expect(error.message).toContain('404')
})

test('without tail: retry first, then the newest lines, then the end', async () => {
  const url = await tails.serve()
  const appId = newId<AppId>()
  await tails.append(appId, numbered(1, 10))
  const tail = await tails.openSse(url + tails.session(appId, { lines: 3, tail: false }))
  expect(tail.answer.headers.get('content-type')).toBe('text/event-stream')
  await eventually(() => expect(tail.ended).toBe(true))
  expect(tail.text.startsWith('retry: 1\n\n')).toBe(true)
  expect(tail.text).toContain('data: 2026-11-21T10:11:12.123456+00:00 app[web.1]: n8\n\n')
  expect(events(tail.text)).toEqual(['8 n8', '9 n9', '10 n10'])
})

test('an app without lines: nothing, and the end', async () => {
  const url = await tails.serve()
  const tail = await tails.openSse(url + tails.session(newId<AppId>(), { tail: false }))
  await eventually(() => expect(tail.ended).toBe(true))
  expect(tail.text).toBe('retry: 1\n\n')
})

test('history goes over into what is written meanwhile, without a gap or a repeat', async () => {
  const url = await tails.serve()
  const appId = newId<AppId>()
  await tails.append(appId, numbered(1, 50))
  const writing = (async () => {
    for (let n = 51; n <= 150; n++) await tails.append(appId, [`n${n}`])
  })()
  const tail = await tails.openSse(url + tails.session(appId, { lines: 20 }))
  await writing
  await eventually(() => expect(events(tail.text).at(-1)).toBe('150 n150'))
  const first = Number(events(tail.text)[0]?.split(' ')[0])
  expect(first).toBeGreaterThan(30)
  expect(events(tail.text)).toEqual(numbered(first, 150).map((text) => `${text.slice(1)} ${text}`))
})

test('no history at all when none is wanted', async () => {
  const url = await tails.serve()
  const appId = newId<AppId>()
  await tails.append(appId, ['old'])
  const tail = await tails.open(url + tails.session(appId, { lines: 0 }))
  await tails.append(appId, ['new'])
  await eventually(() => expect(tail.text).toMatch(/^\S+ app\[web\.1\]: new\n$/))
  expect(tail.answer.headers.get('content-type')).toContain('text/plain')
})

test('a client that comes back goes on after the line that it had, in another process too', async () => {
  const [one, other] = [await tails.serve(), await tails.serve()]
  const appId = newId<AppId>()
  const path = tails.session(appId)
  await tails.append(appId, numbered(1, 3))
  const before = await tails.openSse(one + path)
  await eventually(() => expect(events(before.text)).toHaveLength(3))
  before.stop()
  await tails.append(appId, numbered(4, 6))
  const after = await tails.openSse(other + path, 3)
  await tails.append(appId, ['n7'])
  await eventually(() => expect(events(after.text)).toEqual(['4 n4', '5 n5', '6 n6', '7 n7']))
})

test('what the buffer has let go is told with its exact count, whatever the filters', async () => {
  const url = await tails.serve()
  const appId = newId<AppId>()
  for (let from = 1; from < 5_000; from += 100)
    await tails.append(appId, numbered(from, from + 99, 200))
  const { oldest } = await tails.appLog.bounds(appId)
  expect(oldest).toBeGreaterThan(1_000)
  const path = tails.session(appId, { tail: false, source: 'nobody' })
  const tail = await tails.openSse(url + path, 10)
  await eventually(() => expect(tail.ended).toBe(true))
  expect(tail.text).toMatch(
    new RegExp(
      `^retry: 1\n\nid: ${oldest - 1}\ndata: \\S+ heroku\\[logplex\\]: Error L11 \\(Tail buffer overflow\\) -> This tail session dropped ${oldest - 11} messages since \\S+\\.\n\n$`,
    ),
  )
})

test('a reader that takes nothing loses lines and hears how many; another one loses none', async () => {
  const url = await tails.serve()
  const appId = newId<AppId>()
  const path = tails.session(appId, { lines: 0 })
  const { port } = new URL(url)
  const slow: Socket = connect(Number(port), '127.0.0.1')
  tails.closing.push(() => slow.destroy())
  slow.write(`GET ${path} HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n`)
  await new Promise((resolve) => slow.once('data', resolve))
  slow.pause()
  const quick = await tails.openSse(url + path)
  const total = 60_000
  for (let from = 1; from < total; from += 400) {
    await tails.append(appId, numbered(from, from + 399, 400))
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
  const url = await tails.serve({ heartbeatSeconds: 0.05 })
  const appId = newId<AppId>()
  const sse = await tails.openSse(url + tails.session(appId, { source: 'app' }))
  const text = await tails.open(url + tails.session(appId))
  await tails.append(appId, ['hidden'], { source: 'heroku' })
  await eventually(() => expect(sse.text).toMatch(/(: \nid: 0\n\n)*: \nid: 1\n\n/))
  await eventually(() => expect(text.text).toContain('\0'))
})

test('a stream ends after its time, and when its server stops', async () => {
  const url = await tails.serve({ streamSecondsMax: 0.1 })
  const tail = await tails.openSse(url + tails.session(newId<AppId>()))
  await eventually(() => expect(tail.ended).toBe(true))

  const other = await tails.openSse((await tails.serve()) + tails.session(newId<AppId>()))
  const stopServer = tails.closing.at(-2)
  await stopServer?.()
  await eventually(() => expect(other.ended).toBe(true))
})

test('a stream ends with its session, however much of its own time is left', async () => {
  const url = await tails.serve()
  const endsAt = new Date(Date.now() + 200)
  const tail = await tails.openSse(url + tails.session(newId<AppId>(), { endsAt }))
  await eventually(() => expect(tail.ended).toBe(true))
})

test('streams of a revoked session end, of every kind, and nobody else’s', async () => {
  const url = await tails.serve({ revokedCheckSeconds: 0.05, endSecondsMax: 0.05 })
  const [appId, accountId] = [newId<AppId>(), newId<AccountId>()]
  const path = tails.session(appId, { accountId, lines: 0 })
  const other = await tails.openSse(url + tails.session(appId, { lines: 0 }))
  const own = [await tails.openSse(url + path), await tails.open(url + path)]
  const socket = await tails.follow(url.replace('http', 'ws') + path)
  // A long answer without tail, to a reader that takes its time.
  for (let from = 1; from < 1_000; from += 100)
    await tails.append(appId, numbered(from, from + 99, 9_000))
  const slow: Socket = connect(Number(new URL(url).port), '127.0.0.1')
  tails.closing.push(() => slow.destroy())
  const history = tails.session(appId, { accountId, tail: false, lines: 1_500 })
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
  tails.revoked.add(accountId)
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
  await tails.append(appId, ['n1001'])
  await eventually(() => expect(other.text).toContain('n1001'))
  expect([...own.map(({ text }) => text), ...socket.lines].join()).not.toContain('n1001')
})

test('more streams than an app may have are refused, until one ends', async () => {
  const url = await tails.serve({ tailsPerAppMax: 1 })
  const path = tails.session(newId<AppId>())
  const first = await tails.openSse(url + path)
  expect((await tails.openSse(url + path)).answer.status).toBe(503)
  expect((await tails.openSse(url + tails.session(newId<AppId>()))).answer.status).toBe(200)
  first.stop()
  await eventually(async () => expect((await tails.openSse(url + path)).answer.status).toBe(200))
})

test('a WebSocket gets batches that begin with the number reached, and resumes after it', async () => {
  const url = (await tails.serve()).replace('http', 'ws')
  const appId = newId<AppId>()
  await tails.append(appId, numbered(1, 5))
  const path = tails.session(appId, { lines: 2 })
  const first = await tails.follow(url + path)
  await tails.append(appId, ['n6'])
  await eventually(() => expect(first.lines).toEqual(['n4', 'n5', 'n6']))
  first.socket.terminate()
  await tails.append(appId, ['n7'])
  const again = await tails.follow(`${url}${path}?after=${first.last}`)
  await tails.append(appId, ['n8'])
  await eventually(() => expect(again.lines).toEqual(['n7', 'n8']))

  // The server stops: the client is to come back.
  await tails.closing[0]?.()
  await eventually(() => expect(again.code).toBe(1001))
})

test('a WebSocket without tail is closed when all is said', async () => {
  const url = (await tails.serve()).replace('http', 'ws')
  const appId = newId<AppId>()
  await tails.append(appId, numbered(1, 8))
  const whole = await tails.follow(url + tails.session(appId, { tail: false }))
  await eventually(() => expect(whole.code).toBe(1000))
  expect(whole.lines).toEqual(numbered(1, 8))
})

test('a WebSocket that asks for JSON gets it', async () => {
  const url = (await tails.serve()).replace('http', 'ws')
  const appId = newId<AppId>()
  await tails.append(appId, ['a\nb'])
  const path = tails.session(appId, { tail: false })
  const { lines } = await tails.follow(`${url}${path}?format=json`, (text) => text)
  await eventually(() => expect(lines).toHaveLength(1))
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ number: 1, message: 'a\nb' })
})

test('bytes that are no UTF-8 do not break a WebSocket', async () => {
  const url = (await tails.serve()).replace('http', 'ws')
  const appId = newId<AppId>()
  const socket = new WebSocket(url + tails.session(appId, { lines: 0 }))
  tails.closing.push(() => socket.terminate())
  const message = new Promise<string>((resolve) =>
    socket.once('message', (data: Buffer) => resolve(data.toString())),
  )
  await new Promise((resolve) => socket.once('open', resolve))
  const body = Buffer.concat([
    Buffer.from('<190>1 2026-11-21T10:11:12Z host app web.1 - '),
    Buffer.from([0xc3, 0x28, 0xff]),
  ])
  await tails.appLog.append(appId, 1, Buffer.concat([Buffer.from(`${body.length} `), body]))
  expect(await message).toBe('1\n2026-11-21T10:11:12.000000+00:00 app[web.1]: �(�\n')
})

test('many tails of one app all get every line', async () => {
  const url = await tails.serve()
  const appId = newId<AppId>()
  const path = tails.session(appId, { lines: 0 })
  const many = await Promise.all(Array.from({ length: 30 }, () => tails.openSse(url + path)))
  for (let from = 1; from <= 200; from += 10) await tails.append(appId, numbered(from, from + 9))
  for (const tail of many) await eventually(() => expect(events(tail.text)).toHaveLength(200))
})
