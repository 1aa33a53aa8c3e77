import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { newId, type AppId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient, type RpcClient } from '#lib/rpc.ts'
import { LogplexService } from '#proto/logplex/v1/logplex_pb.ts'
import { natsUrl } from '../../local-platform/service-env.ts'
import { eventually } from '../support/eventually.ts'
import { keptMessages, linesOf, openTestLog, type TestLog } from '../support/logs.ts'
import { freePortBase } from '../support/ports.ts'
import { startService, type ServiceProcess } from '../support/services.ts'

const engines = inject('engines')
const { ports } = engines.layout
const logsUrl = `http://127.0.0.1:${ports.logs}`
const time = '2026-11-21T09:00:00.000000+00:00'
const unknown = 't.00000000-0000-4000-8000-000000000000'

let logplex: ServiceProcess
let nats: NatsConnection
let rpc: RpcClient<typeof LogplexService>
let testLog: TestLog

beforeAll(async () => {
  logplex = await startService('logplex', engines)
  nats = await connectNats(natsUrl(engines.layout, engines.credentials, 'api'), 'test', silentLog)
  rpc = rpcClient(nats, 'logplex', LogplexService)
  testLog = await openTestLog(engines)
})

afterAll(async () => {
  await testLog.close()
  await nats.close()
  await logplex.stop()
})

async function newChannel(name = 'app'): Promise<{ appId: AppId; token: string }> {
  const appId = newId<AppId>()
  const { token } = await rpc.ensureToken({ appId, name })
  return { appId, token }
}

function frame(token: string, text: string): string {
  const body = `<190>1 ${time} host ${token} web.1 - - ${text}`
  return `${Buffer.byteLength(body)} ${body}`
}

function post(
  token: string,
  body: NonNullable<RequestInit['body']>,
  headers: Record<string, string> = {},
  path = '/logs',
  origin = logsUrl,
): Promise<Response> {
  const authorization = `Basic ${Buffer.from(`token:${token}`).toString('base64')}`
  const all = { authorization, 'content-type': 'application/logplex-1', ...headers }
  return fetch(`${origin}${path}`, { method: 'POST', body, headers: all })
}

async function sendSyslog(...pieces: string[]): Promise<void> {
  const socket: Socket = connect(ports.syslog, '127.0.0.1')
  for (const piece of pieces) await new Promise<void>((done) => socket.write(piece, () => done()))
  await new Promise<void>((done) => socket.end(done))
}

function run(command: string, ...args: string[]): Promise<number | null> {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  })
}

const kept = (appId: AppId): Promise<string[]> => keptMessages(testLog.appLog, appId)

describe('POST /logs', () => {
  test('an accepted post is in the log when it is answered, under the name of its token', async () => {
    const { appId, token } = await newChannel('heroku')
    const response = await post(token, frame(token, 'one') + frame('anything', 'two\n'), {
      'logplex-msg-count': '2',
    })
    expect([response.status, await response.text()]).toEqual([204, ''])
    const { chunks } = await testLog.appLog.readBack(appId, Infinity, 100_000)
    expect(linesOf(chunks)).toEqual(['1 heroku[web.1]: one', '2 heroku[web.1]: two\n'])
  })

  test.each([
    ['/logs/', {}],
    ['/logs', { 'content-type': 'application/x-logplex-1' }],
    ['/logs', { authorization: 'Bearer' }],
  ])('%s with %j is accepted too', async (path, headers: Record<string, string>) => {
    const { appId, token } = await newChannel()
    const bearer = 'authorization' in headers ? { authorization: `Bearer ${token}` } : {}
    const response = await post(token, frame(token, 'x'), { ...headers, ...bearer }, path)
    expect(response.status).toBe(204)
    expect(await kept(appId)).toEqual(['x'])
  })

  test('a packed body is unpacked; one that is not what it says is refused', async () => {
    const { appId, token } = await newChannel()
    const packed = gzipSync(frame(token, 'packed'))
    expect((await post(token, packed, { 'content-encoding': 'gzip' })).status).toBe(204)
    expect((await post(token, 'no gzip', { 'content-encoding': 'gzip' })).status).toBe(400)
    expect((await post(token, 'x', { 'content-encoding': 'br' })).status).toBe(415)
    expect(await kept(appId)).toEqual(['packed'])
  })

  test('a body of more than 8,000,000 bytes is refused, packed or not', async () => {
    const { appId, token } = await newChannel()
    const zeros = Buffer.alloc(8_000_001)
    const bomb = await post(token, gzipSync(zeros), { 'content-encoding': 'gzip' })
    expect(bomb.status).toBe(413)
    const plain = await post(token, zeros).catch(() => undefined)
    // A client that is still sending may see the connection close before it reads the answer.
    expect([413, undefined]).toContain(plain?.status)
    expect((await post(token, frame(token, 'still here'))).status).toBe(204)
    expect(await kept(appId)).toEqual(['still here'])
  })

  test('one bad frame refuses the whole post and is named', async () => {
    const { appId, token } = await newChannel()
    const good = frame(token, 'good')
    for (const bad of ['5 <42> blafasel', '1048577 x', 'hello\n', '12 <42> blafase']) {
      const response = await post(token, good + bad + good)
      expect(response.status).toBe(400)
      expect(await response.text()).toContain(
        `Malformed log messages: frame 2, at byte ${good.length}: `,
      )
    }
    expect(await kept(appId)).toEqual([])
  })

  test('a count that is not that of the frames is refused, also for half a frame', async () => {
    const { appId, token } = await newChannel()
    const body = frame(token, 'whole') + frame(token, 'half').slice(0, -2)
    const mismatch = await post(token, body, { 'logplex-msg-count': '2' })
    expect([mismatch.status, await mismatch.text()]).toEqual([
      400,
      'Message count mismatch: 1 frames came.',
    ])
    expect(await kept(appId)).toEqual([])
    expect((await post(token, body)).status).toBe(204)
    expect(await kept(appId)).toEqual(['whole'])
  })

  test('who has no token, or another kind of body or method, is told so', async () => {
    const { token } = await newChannel()
    const wrong = await post(unknown, frame(unknown, 'x'))
    expect(wrong.status).toBe(401)
    expect(wrong.headers.get('www-authenticate')).toBe('Basic realm=Logplex')
    const user = { authorization: `Basic ${Buffer.from(`someone:${token}`).toString('base64')}` }
    expect((await post(token, '', user)).status).toBe(401)
    expect((await fetch(`${logsUrl}/logs`, { method: 'POST' })).status).toBe(401)
    for (const type of ['text/plain', 'application/logplex-1; charset=utf-8', 'application/json'])
      expect((await post(token, '{', { 'content-type': type })).status).toBe(415)
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE'])
      expect((await fetch(`${logsUrl}/logs`, { method })).status).toBe(405)
  })

  test('the healthcheck says OK', async () => {
    const response = await fetch(`${logsUrl}/healthcheck`)
    expect([response.status, await response.text()]).toEqual([200, 'OK'])
  })
})

describe('syslog over TCP', () => {
  test('frames are taken however they are cut, and what is none is left out', async () => {
    const { appId, token } = await newChannel()
    const one = frame(token, 'first')
    await sendSyslog(
      one.slice(0, 20),
      one.slice(20),
      'no frame at all\n',
      frame(unknown, 'nobody'),
      '99999999 \n',
      `${frame(token, 'second')}\n`,
      '13 <42> blafasel',
      frame(token, 'third'),
      frame(token, 'half a frame').slice(0, -4),
    )
    await eventually(async () => expect(await kept(appId)).toEqual(['first', 'second', 'third']))
    // Too long for a line: several come of it.
    await sendSyslog(frame(token, 'x'.repeat(25_000)))
    await eventually(async () => expect(await kept(appId)).toHaveLength(6))
  })

  test('lines of many apps on one connection stay apart and in order', async () => {
    const channels = await Promise.all(Array.from({ length: 5 }, () => newChannel()))
    const frames = Array.from({ length: 2_000 }, (_, at) =>
      frame(channels[at % 5]?.token ?? '', `line ${at}`),
    )
    await sendSyslog(frames.join(''))
    for (const [index, { appId }] of channels.entries()) {
      const mine = Array.from({ length: 400 }, (_, at) => `line ${5 * at + index}`)
      await eventually(async () => expect(await kept(appId)).toEqual(mine))
    }
  })

  test('logger of util-linux is understood', async () => {
    const { appId, token } = await newChannel()
    const to = ['--server', '127.0.0.1', '--port', String(ports.syslog), '--tcp']
    const form = ['--octet-count', '--rfc5424', '--tag', token]
    expect(await run('logger', ...to, ...form, 'plain')).toBe(0)
    expect(
      await run('logger', ...to, ...form, '--id=77', '--priority', 'local3.err', 'with pid'),
    ).toBe(0)
    expect(
      await run(
        'logger',
        ...to,
        ...form,
        '--sd-id',
        'x@1',
        '--sd-param',
        'a="b\\]"',
        '[text] after',
      ),
    ).toBe(0)
    expect(
      await run(
        'logger',
        ...to,
        '--octet-count',
        '--rfc5424=notq,notime,nohost',
        '--tag',
        token,
        'short',
      ),
    ).toBe(0)
    await eventually(async () => {
      const { chunks } = await testLog.appLog.readBack(appId, Infinity, 100_000)
      const lines = linesOf(chunks).map((line) => line.slice(line.indexOf(' ') + 1))
      expect(lines.toSorted()).toEqual(
        ['app[-]: plain', 'app[77]: with pid', 'app[-]: [text] after', 'app[-]: short'].toSorted(),
      )
      // The one that came without a time has that of its arrival.
      for (const { frames } of chunks)
        expect(String(frames)).toMatch(/^\d+ <\d+>1 2\d{3}-\S+ host /)
    })
  })

  test('rsyslog forwards into an app', async () => {
    const { appId, token } = await newChannel()
    const folder = await mkdtemp(join(tmpdir(), 'plexus-rsyslog-'))
    const inputPort = ports.syslog + 1
    await writeFile(
      join(folder, 'rsyslog.conf'),
      `module(load="imtcp")
       global(workDirectory="${folder}")
       template(name="plexus" type="string"
         string="<%PRI%>1 %TIMESTAMP:::date-rfc3339% %HOSTNAME% ${token} %APP-NAME% %MSGID% - %msg%")
       ruleset(name="out") { action(type="omfwd" target="127.0.0.1" port="${ports.syslog}"
         protocol="tcp" TCP_Framing="octet-counted" template="plexus") }
       input(type="imtcp" port="${inputPort}" address="127.0.0.1" ruleset="out")\n`,
    )
    const rsyslog = spawn(
      'rsyslogd',
      ['-n', '-f', join(folder, 'rsyslog.conf'), '-i', join(folder, 'pid')],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    )
    try {
      const into = await eventually(
        () =>
          new Promise<Socket>((resolve, reject) => {
            const socket = connect(inputPort, '127.0.0.1', () => resolve(socket))
            socket.on('error', reject)
          }),
      )
      for (let at = 1; at <= 50; at++)
        into.write(`<13>1 2026-11-21T09:00:00Z box worker 1 - - job ${at}\n`)
      into.end()
      const expected = Array.from({ length: 50 }, (_, at) => `job ${at + 1}`)
      await eventually(async () =>
        expect((await kept(appId)).map((text) => text.trim())).toEqual(expected),
      )
      const { chunks } = await testLog.appLog.readBack(appId, Infinity, 1)
      expect(linesOf(chunks).at(-1)).toMatch(/^50 app\[worker\]: /)
    } finally {
      rsyslog.kill('SIGTERM')
      await new Promise((done) => rsyslog.once('exit', done))
      await rm(folder, { recursive: true, force: true })
    }
  })
})

describe('processes', () => {
  test('lines survive kill -9, and the numbers go on', async () => {
    const { appId, token } = await newChannel()
    expect((await post(token, frame(token, 'before'))).status).toBe(204)
    await logplex.kill()
    logplex = await startService('logplex', engines)
    expect((await post(token, frame(token, 'after'))).status).toBe(204)
    const { chunks } = await testLog.appLog.readBack(appId, Infinity, 100_000)
    expect(linesOf(chunks)).toEqual(['1 app[web.1]: before', '2 app[web.1]: after'])
  })

  test('whatever was answered before a kill -9 is in the log, each line once', async () => {
    const { appId, token } = await newChannel()
    const answered: string[] = []
    const sender = async (name: string): Promise<void> => {
      for (let at = 0; ; at++) {
        const text = `${name} ${at}`
        const response = await post(token, frame(token, text)).catch(() => undefined)
        if (!response) return
        expect(response.status).toBe(204)
        answered.push(text)
      }
    }
    const senders = ['a', 'b', 'c', 'd'].map(sender)
    await eventually(() => expect(answered.length).toBeGreaterThan(200))
    await logplex.kill()
    await Promise.all(senders)
    const lines = await kept(appId)
    expect(new Set(lines).size).toBe(lines.length)
    expect(answered.filter((text) => !lines.includes(text))).toEqual([])
    logplex = await startService('logplex', engines)
  })

  test('what a kill -9 left unanswered is sent again elsewhere, and is in the log once', async () => {
    const { appId, token } = await newChannel()
    const otherPort = await freePortBase()
    const other = await startService('logplex', engines, {
      PLEXUS_LOGS_PORT: String(otherPort),
      PLEXUS_SYSLOG_PORT: '0',
      PLEXUS_SYSLOG_TLS_PORT: '0',
    })
    const answered: string[] = []
    let over = false
    /** As log-shuttle: the same post with the same id until there is an answer. */
    const sender = async (name: string): Promise<void> => {
      for (let at = 0; !over; at++) {
        const texts = Array.from({ length: 600 }, (_, line) => `${name} ${at} ${line}`)
        const body = texts.map((text) => frame(token, text)).join('')
        const headers = { 'x-request-id': newId() }
        const origins = [logsUrl, `http://127.0.0.1:${otherPort}`]
        for (let tries = 0; ; tries++) {
          const answer = await post(token, body, headers, '/logs', origins[tries % 2]).catch(
            () => undefined,
          )
          if (!answer) continue
          expect(answer.status).toBe(204)
          answered.push(...texts)
          break
        }
      }
    }
    const senders = ['a', 'b', 'c', 'd'].map(sender)
    await eventually(() => expect(answered.length).toBeGreaterThan(2_400))
    await logplex.kill()
    const before = answered.length
    await eventually(() => expect(answered.length).toBeGreaterThan(before + 2_400))
    over = true
    await Promise.all(senders)
    const lines = await kept(appId)
    expect(lines.length).toBe(answered.length)
    expect(new Set(lines)).toEqual(new Set(answered))
    await other.stop()
    logplex = await startService('logplex', engines)
  })

  test('a token from one process works in another at once', async () => {
    const second = await startService('logplex', engines, {
      PLEXUS_LOGS_PORT: '0',
      PLEXUS_SYSLOG_PORT: '0',
      PLEXUS_SYSLOG_TLS_PORT: '0',
    })
    try {
      // Both answer requests, so about half of the tokens are made by the other process.
      for (let at = 0; at < 10; at++) {
        const { appId, token } = await newChannel()
        await sendSyslog(frame(token, 'at once'))
        await eventually(async () => expect(await kept(appId)).toEqual(['at once']))
      }
    } finally {
      await second.stop()
    }
  })
})
