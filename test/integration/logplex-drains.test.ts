import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NatsConnection } from '@nats-io/transport-node'
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import { newId, type AppId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { rpcClient, type RpcClient } from '#lib/rpc.ts'
import { LogplexService, type Drain } from '#proto/logplex/v1/logplex_pb.ts'
import { natsUrl } from '../../local-platform/service-env.ts'
import { expectBalanced } from '../support/drain-account.ts'
import { eventually } from '../support/eventually.ts'
import {
  startHttpReceiver,
  startOtlpCollector,
  type HttpReceiver,
} from '../support/log-receivers.ts'
import { keptMessages, linesOf, openTestLog, type TestLog } from '../support/logs.ts'
import { freePortBase } from '../support/ports.ts'
import { startSecondLogplex } from '../support/second-logplex.ts'
import { startService, type ServiceProcess } from '../support/services.ts'
import { storedLines } from '../support/stored-lines.ts'

const engines = inject('engines')
const { ports } = engines.layout
const logsUrl = `http://127.0.0.1:${ports.logs}`
// A dead process's leases run out after 3 s, and are looked for every 0.9 s.
const takeoverMsMax = 8_000

let nats: NatsConnection
let rpc: RpcClient<typeof LogplexService>
let log: TestLog
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  nats = await connectNats(natsUrl(engines.layout, engines.credentials, 'api'), 'test', silentLog)
  rpc = rpcClient(nats, 'logplex', LogplexService)
  log = await openTestLog(engines)
})

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

afterAll(async () => {
  await log.close()
  await nats.close()
})

const keep = (logplex: ServiceProcess): ServiceProcess => {
  closing.push(async () => {
    if (logplex.child.exitCode === null && logplex.child.signalCode === null) await logplex.stop()
  })
  return logplex
}

const startLogplex = async (overrides: Record<string, string> = {}): Promise<ServiceProcess> =>
  keep(await startService('logplex', engines, overrides))

const startReceiver = async (): Promise<HttpReceiver> => {
  const receiver = await startHttpReceiver()
  closing.push(() => receiver.close())
  return receiver
}

const newApp = async (): Promise<{ appId: AppId; token: string }> => {
  const appId = newId<AppId>()
  const { token } = await rpc.ensureToken({ appId, name: 'app' })
  return { appId, token }
}

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => `n${from + index}`)

/** Appends lines from a process that is not logplex, so that none are lost with it. */
const append = (appId: AppId, messages: string[]): Promise<unknown> =>
  log.appLog.append(appId, messages.length, storedLines(messages))

const messagesOf = (receiver: HttpReceiver): string[] =>
  receiver.posts.flatMap(({ frames }) =>
    frames.map((frame) => frame.slice(frame.indexOf(' - ') + 3)),
  )

const stateOf = async (drain: Drain) => {
  const { state } = await rpc.getDrain({ appId: drain.appId, drain: drain.id })
  if (!state) throw new Error('nobody knows how the drain is doing')
  const { received, delivered, pending, dropped } = expectBalanced(state)
  return [received, delivered, pending, dropped].map(Number)
}

test('kill -9 in the middle of a drain: every line arrives, only the batch in flight twice', async () => {
  const receiver = await startReceiver()
  const first = await startLogplex()
  const { appId } = await newApp()
  const drain = await rpc.createDrain({ appId, url: receiver.url, force: true })
  const total = 4_000
  const writing = (async () => {
    for (let from = 1; from < total; from += 20) await append(appId, numbered(from, from + 19))
  })()
  // The batch in flight is taken, and its answer never arrives.
  await eventually(() => expect(messagesOf(receiver).length).toBeGreaterThan(1_000))
  receiver.answers.push('hang')
  const postsBefore = receiver.posts.length
  await eventually(() => expect(receiver.posts.length).toBeGreaterThan(postsBefore))
  await first.kill()
  const inFlight = receiver.posts.at(-1)?.frames.length
  await writing
  await startLogplex()
  await eventually(
    async () => expect(await stateOf(drain)).toEqual([total, total, 0, 0]),
    takeoverMsMax,
  )
  const got = messagesOf(receiver)
  expect([...new Set(got)]).toEqual(numbered(1, total))
  expect(got.length - total).toBe(inFlight)
})

const canaryAt = async (url: string): Promise<unknown> =>
  (await fetch(`${url}/healthcheck/canary`)).json()

test('the drains of a process that dies are taken over by another one, replays and all', async () => {
  const receiver = await startReceiver()
  const often = { PLEXUS_CANARY_SECONDS: '1' }
  const first = await startLogplex(often)
  const { appId } = await newApp()
  const drain = await rpc.createDrain({ appId, url: receiver.url, force: true })
  await append(appId, numbered(1, 10))
  await eventually(() => expect(messagesOf(receiver)).toEqual(numbered(1, 10)))
  const second = await startSecondLogplex(engines, often)
  keep(second)
  const well = { verdict: 'well', why: '', faults: 0, drainFaults: 0 }
  await eventually(async () => {
    expect(await canaryAt(logsUrl)).toMatchObject({ ...well, drains: expect.any(Number) })
    expect(await canaryAt(second.logsUrl)).toMatchObject(well)
  })
  await eventually(async () => expect(await stateOf(drain)).toEqual([10, 10, 0, 0]))
  // Whichever process has the drain now, and however far it has come with it.
  await rpc.replayDrain({ appId, drain: drain.id, fromLine: 6n })
  await first.kill()
  await append(appId, numbered(11, 20))
  await eventually(async () => expect(await stateOf(drain)).toEqual([25, 25, 0, 0]), takeoverMsMax)
  const got = messagesOf(receiver)
  expect(got.slice(0, 10)).toEqual(numbered(1, 10))
  expect([...new Set(got.slice(10))]).toEqual(numbered(6, 20))
  const seen = await canaryAt(second.logsUrl)
  expect(seen).toMatchObject({ ...well, drains: expect.any(Number) })
})

/**
 * Starts a syslog server that ends with the test; returns when something takes connections at the
 * port.
 */
async function startSyslogServer(program: string, args: string[], port: number): Promise<void> {
  const env = { PATH: `${process.env['PATH']}:/usr/sbin` }
  const child = spawn(program, args, { env, stdio: 'inherit' })
  closing.push(async () => {
    child.kill()
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
  await eventually(
    () =>
      new Promise<void>((resolve, reject) => {
        const socket = connect(port, '127.0.0.1', () => resolve(void socket.end()))
        socket.once('error', reject)
      }),
  )
}

/** What a syslog server wrote into a file, once it is so many lines. */
const writtenLines = (file: string, count: number): Promise<string[]> =>
  eventually(async () => {
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n')
    expect(lines).toHaveLength(count)
    return lines
  })

test('rsyslog receives a syslog drain, with the drain token as host', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'plexus-rsyslog-'))
  closing.push(() => rm(dir, { recursive: true, force: true }))
  const port = await freePortBase()
  const file = join(dir, 'received')
  await writeFile(
    join(dir, 'rsyslog.conf'),
    `global(workDirectory="${dir}")
module(load="imptcp")
template(name="seen" type="string"
  string="%pri%|%timestamp:::date-rfc3339%|%hostname%|%app-name%|%procid%|%msgid%|%structured-data%|%msg%\\n")
input(type="imptcp" address="127.0.0.1" port="${port}" ruleset="keep")
ruleset(name="keep") { action(type="omfile" file="${file}" template="seen") }
`,
  )
  await startSyslogServer(
    'rsyslogd',
    ['-n', '-f', join(dir, 'rsyslog.conf'), '-i', join(dir, 'pid')],
    port,
  )
  await startLogplex()
  const { appId } = await newApp()
  const { token } = await rpc.createDrain({ appId, url: `syslog://127.0.0.1:${port}`, force: true })
  await append(appId, ['first', 'second\n', 'žluťoučký kůň'])
  await append(appId, numbered(4, 1_000))
  const lines = await writtenLines(file, 1_000)
  const seen = (message: string): string =>
    `190|2026-11-21T10:11:12.123456+00:00|${token}|app|web.1|-|-|${message}`
  expect(lines).toEqual(['first', 'second', 'žluťoučký kůň', ...numbered(4, 1_000)].map(seen))
})

test('syslog-ng receives a syslog drain, and sends what it received into another app', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'plexus-syslog-ng-'))
  closing.push(() => rm(dir, { recursive: true, force: true }))
  const port = await freePortBase()
  await startLogplex()
  const [from, to] = [await newApp(), await newApp()]
  const file = join(dir, 'received')
  await writeFile(
    join(dir, 'syslog-ng.conf'),
    `@version: 3.35
options { keep-hostname(yes); frac-digits(6); };
source drain { syslog(ip("127.0.0.1") port(${port}) transport("tcp")); };
destination seen { file("${file}" template("$PRI|$ISODATE|$HOST|$PROGRAM|$PID|$MSG\\n")); };
rewrite token { set("${to.token}", value("PROGRAM")); };
destination app { syslog("127.0.0.1" port(${ports.syslog}) transport("tcp")); };
log { source(drain); destination(seen); };
log { source(drain); rewrite(token); destination(app); };
`,
  )
  const files = ['-R', join(dir, 'state'), '-p', join(dir, 'pid'), '-c', join(dir, 'control')]
  const args = ['-F', '--no-caps', '-f', join(dir, 'syslog-ng.conf'), ...files]
  await startSyslogServer('syslog-ng', args, port)
  const url = `syslog://127.0.0.1:${port}`
  const { token } = await rpc.createDrain({ appId: from.appId, url, force: true })
  const messages = ['first', 'žluťoučký kůň', ...numbered(3, 1_000)]
  await append(from.appId, messages)
  const seen = (message: string): string =>
    `190|2026-11-21T10:11:12.123456+00:00|${token}|app|web.1|${message}`
  expect(await writtenLines(file, 1_000)).toEqual(messages.map(seen))
  // It ends each message with a newline.
  const sent = messages.map((message) => `${message}\n`)
  await eventually(async () => expect(await keptMessages(log.appLog, to.appId)).toEqual(sent))
  const { chunks } = await log.appLog.readBack(to.appId, Infinity, 1)
  expect(linesOf(chunks).at(-1)).toBe('1000 app[web.1]: n1000\n')
})

test('a tail that resumes after kill -9 of logplex has no gap and no repeat', async () => {
  const first = await startLogplex()
  const { appId, token } = await newApp()
  const { url } = await rpc.createSession({ appId, accountId: newId(), lines: 100, tail: true })
  const send = async (messages: string[]): Promise<void> => {
    const frames = messages.map((text) => {
      const body = `<190>1 2026-11-21T10:11:12Z host ${token} web.1 - - ${text}`
      return `${body.length} ${body}`
    })
    const authorization = `Basic ${Buffer.from(`token:${token}`).toString('base64')}`
    const headers = { authorization, 'content-type': 'application/logplex-1' }
    const answer = await fetch(`${logsUrl}/logs`, {
      method: 'POST',
      headers,
      body: frames.join(''),
    })
    expect(answer.status).toBe(204)
  }
  const seen: string[] = []
  let lastEventId = ''
  /** Reads events until `message` has come or the stream breaks. */
  const readUntil = async (message: string): Promise<void> => {
    const headers = {
      accept: 'text/event-stream',
      ...(lastEventId && { 'last-event-id': lastEventId }),
    }
    const answer = await fetch(url, { headers })
    expect(answer.status).toBe(200)
    let text = ''
    for await (const bytes of answer.body ?? []) {
      text += Buffer.from(bytes).toString()
      const events = text.split('\n\n')
      text = events.pop() ?? ''
      for (const event of events) {
        const [, id = '', data = ''] =
          /^id: (\d+)\ndata: \S+ app\[web\.1\]: (.*)$/.exec(event) ?? []
        if (id === '') continue
        lastEventId = id
        seen.push(data)
        if (data === message) return
      }
    }
  }
  await send(numbered(1, 10))
  await readUntil('n10')
  const broken = readUntil('never').catch(() => 'broken')
  await send(numbered(11, 20))
  await eventually(() => expect(seen).toHaveLength(20))
  await first.kill()
  expect(await broken).toBe('broken')
  await startLogplex()
  await send(numbered(21, 30))
  await readUntil('n30')
  expect(seen).toEqual(numbered(1, 30))
})

test("a telemetry drain's lines are OTLP, and its endpoint has a drain's options", async () => {
  const collector = await startOtlpCollector()
  closing.push(() => collector.close())
  await startLogplex()
  const { appId } = await newApp()
  await append(appId, ['too old', 'old'])
  const endpoint = `http://127.0.0.1:${collector.port}#exclude-text=b`
  const exporter = { endpoint: `${endpoint}&backfill=1`, headers: { k: 'v' } }
  const made = await rpc.createTelemetryDrain({ appId, exporter, force: true })
  expect(made.exporter).toMatchObject({ endpoint, headers: { k: 'v' } })
  await append(appId, ['b', 'a'])
  await eventually(() => {
    const records = collector.posts.flatMap(({ logs }) => logs.records)
    expect(records.map(({ body }) => body)).toEqual(['old', 'a'])
  })
  // The app's log names a drain by its token, and its owner knows this one by its id.
  expect(collector.posts[0]).toMatchObject({
    ...{ path: '/v1/logs', headers: { k: 'v', 'logplex-drain-token': `d.${made.id}` } },
    logs: { resource: { 'heroku.app.id': appId } },
  })
})
