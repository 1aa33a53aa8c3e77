import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, inject, onTestFinished, test } from 'vitest'
import { newId, type AppId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import type { Engine } from '../../local-platform/engines/engine.ts'
import { startRedis } from '../../local-platform/engines/redis.ts'
import { startCanary } from '../../services/logplex/canary/canary.ts'
import { startIngest, type Ingest } from '../../services/logplex/ingest/ingest.ts'
import { Switches } from '../../services/logplex/switches.ts'
import { TokenTable } from '../../services/logplex/ingest/token-table.ts'
import {
  pendingBytesHardMax,
  pendingBytesMax,
  pendingBytesPerAppHardMax,
  pendingBytesPerAppMax,
} from '../../services/logplex/limits.ts'
import { eventually } from '../support/eventually.ts'
import { accounted } from '../support/intake.ts'
import { keptMessages, openTestLog, type TestLog } from '../support/logs.ts'
import { freePortBase } from '../support/ports.ts'

const engines = inject('engines')
/** Enough apps for the bound of all to come before that of one. */
const apps = Array.from({ length: 6 }, () => ({ appId: newId<AppId>(), token: `t.${newId()}` }))
const [{ appId, token }, other] = apps as [(typeof apps)[number], (typeof apps)[number]]

let dir: string
let port: number
let redis: Engine
let testLog: TestLog
let ingest: Ingest
let tokens: TokenTable

const openRedis = (): Promise<Engine> =>
  startRedis({ binary: engines.redisServer, dir, port, password: 'pw' })

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'plexus-redis-'))
  port = await freePortBase()
  redis = await openRedis()
  testLog = await openTestLog(engines, { redisUrl: `redis://logplex:pw@127.0.0.1:${port}` })
  tokens = new TokenTable()
  for (const app of apps) tokens.set(app.token, app.appId, 'app')
  const learnToken = () => Promise.resolve(false)
  ingest = await startIngest(
    {
      ...{ host: '127.0.0.1', logsPort: 0, syslogPort: 0, logLinesPerSecondPerApp: 0 },
      ...{ syslogTlsPort: 0, syslogTlsPem: '', syslogTlsClientCa: '', syslogListeners: [] },
    },
    {
      appLog: testLog.appLog,
      tokens,
      learnToken,
      findMappedApp: () => undefined,
      findCredential: () => Promise.resolve(undefined),
      switches: new Switches(),
      log: silentLog,
    },
    () => Promise.resolve(),
  )
})

afterEach(async () => {
  await ingest.stop()
  await testLog.close()
  await redis.stop()
  await rm(dir, { recursive: true, force: true })
})

function frame(text: string, of = token): string {
  const body = `<190>1 2026-11-21T09:00:00Z h ${of} web.1 - - ${text}`
  return `${body.length} ${body}`
}

async function post(text: string): Promise<number> {
  const url = `http://127.0.0.1:${ingest.logsPort}/logs`
  const authorization = `Basic ${Buffer.from(`token:${token}`).toString('base64')}`
  const headers = { authorization, 'content-type': 'application/logplex-1' }
  const { status } = await fetch(url, { method: 'POST', body: frame(text), headers })
  return status
}

function startTestCanary() {
  const alerts: string[] = []
  const log = Object.assign(Object.create(silentLog), {
    error: (_: object, text: string) => alerts.push(text),
  })
  const canary = startCanary({
    ...{ appLog: testLog.appLog, redis: testLog.redis, tokens, switches: new Switches() },
    ...{ inputUrl: ingest.inputUrl, everyMs: 100, log },
    auditDrains: () => Promise.resolve({ audited: 0, faults: [] }),
  })
  onTestFinished(canary.stop)
  return { alerts, canary }
}

/** Waits until no more is accepted, which comes to at least so many bytes. */
async function untilHeld(textBytes: number, bytes: number): Promise<number> {
  let held = -1
  await eventually(() => {
    // The socket is no longer read: what has been accepted stays the same from look to look.
    const before = held
    held = ingest.counters.accepted
    expect(held).toBe(before)
    expect(held * textBytes).toBeGreaterThan(bytes)
  })
  return held
}

test('what comes while Redis is away is held, and is in the log once when it is back', async () => {
  const { alerts, canary } = startTestCanary()
  await eventually(() => expect(canary.report().verdict).toBe('well'))
  expect(await post('before')).toBe(204)
  await redis.stop()
  // 202: accepted, and held in memory only.
  const statuses = await Promise.all([post('one'), post('two')])
  expect(statuses).toEqual([202, 202])
  const { accepted, appended } = ingest.counters
  expect(accepted - appended).toBeGreaterThanOrEqual(2)
  await eventually(() => expect(canary.report().verdict).toBe('unknown'))
  redis = await openRedis()
  await eventually(async () => {
    const kept = await keptMessages(testLog.appLog, appId)
    expect(kept.toSorted()).toEqual(['before', 'one', 'two'])
  })
  expect(await post('after')).toBe(204)
  expect((await keptMessages(testLog.appLog, appId)).at(-1)).toBe('after')
  // An outage is no loss, and nothing is left of it to the canary.
  await eventually(() => expect(canary.report()).toMatchObject({ verdict: 'well', faults: 0 }))
  expect(alerts).toEqual([])
})

test('when too much is held, senders wait until there is room again, and nothing is lost', async () => {
  await redis.stop()
  const text = 'x'.repeat(10_000)
  const lines = Math.ceil((1.5 * pendingBytesMax) / text.length)
  const socket: Socket = connect(ingest.syslogPort, '127.0.0.1')
  for (let at = 0; at < lines; at++) socket.write(frame(text, apps[at % apps.length]?.token))
  const sent = new Promise<void>((done) => socket.end(done))
  const held = await untilHeld(text.length, 0.95 * pendingBytesMax)
  expect(held * text.length).toBeLessThan(pendingBytesHardMax)
  // A post is not even read: its connection is closed, upon which log-shuttle tries again.
  await expect(post('no room')).rejects.toThrow('fetch failed')
  redis = await openRedis()
  await sent
  await eventually(() => expect(ingest.counters.appended).toBe(lines), 25_000)
  expect(ingest.counters).toMatchObject({ received: lines, accepted: lines, droppedBufferFull: 0 })
  expect(accounted(ingest.counters)).toBe(lines)
  const bounds = await Promise.all(apps.map((app) => testLog.appLog.bounds(app.appId)))
  expect(bounds.reduce((sum, { head }) => sum + head, 0)).toBe(lines)
  expect(await post('room again')).toBe(204)
})

test("too many lines of one app hold back its own senders, and no other app's", async () => {
  await redis.stop()
  const text = 'x'.repeat(10_000)
  const lines = Math.ceil((1.5 * pendingBytesPerAppMax) / text.length)
  const own: Socket = connect(ingest.syslogPort, '127.0.0.1')
  for (let at = 0; at < lines; at++) own.write(frame(text))
  const held = await untilHeld(text.length, 0.95 * pendingBytesPerAppMax)
  expect(held * text.length).toBeLessThan(1.1 * pendingBytesPerAppMax)
  await expect(post('no room')).rejects.toThrow('fetch failed')

  // Who sends for others, too, is not held back: its lines of this app are dropped at some time.
  const mixed: Socket = connect(ingest.syslogPort, '127.0.0.1')
  mixed.write(frame('of another', other.token))
  for (let at = 0; at < lines; at++) mixed.write(frame(text))
  mixed.write(frame('of another, behind', other.token))
  await eventually(() => expect(ingest.counters.received).toBe(held + lines + 2))
  const { droppedAppFull, accepted } = ingest.counters
  expect(accepted).toBe(held + lines + 2 - droppedAppFull)
  expect(accepted * text.length).toBeGreaterThan(0.95 * pendingBytesPerAppHardMax)
  expect(droppedAppFull).toBeGreaterThan(0)

  redis = await openRedis()
  await eventually(() => expect(ingest.counters.received).toBe(2 * lines + 2), 25_000)
  expect(accounted(ingest.counters)).toBe(2 * lines + 2)
  await eventually(async () => {
    expect(await keptMessages(testLog.appLog, other.appId)).toEqual([
      'of another',
      'of another, behind',
    ])
    const kept = await keptMessages(testLog.appLog, appId)
    expect(kept.filter((line) => line.includes('Error L16'))).toEqual([
      expect.stringContaining(` ${droppedAppFull} messages dropped since `),
    ])
  })
  own.destroy()
  mixed.destroy()
})
