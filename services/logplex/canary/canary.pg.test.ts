import { afterEach, beforeEach, expect, inject, test } from 'vitest'
import type { AppId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { eventually } from '../../../test/support/eventually.ts'
import { openTestLog, type TestLog } from '../../../test/support/logs.ts'
import type { AppLog } from '../app-log/app-log.ts'
import type { DrainFault } from '../drains/drains.ts'
import { startIngest, type Ingest } from '../ingest/ingest.ts'
import { TokenTable } from '../ingest/token-table.ts'
import { Switches } from '../switches.ts'
import { startCanary, type Canary } from './canary.ts'

let log: TestLog
let ingest: Ingest
let canary: Canary
let switches: Switches
let tokens: TokenTable
/** What is there in Redis of canaries, by key. */
const keys = async (): Promise<string[]> =>
  (await log.redis.keys('plexus:*')).map(String).filter((key) => !key.includes('log-weights'))

beforeEach(async () => {
  log = await openTestLog(inject('engines'))
  ;[switches, tokens] = [new Switches(), new TokenTable()]
})

afterEach(async () => {
  await canary.stop()
  await ingest.stop()
  await log.close()
})

/** A canary that sends a line ten times a second through an ingest of its own. */
async function start(
  options: { appLog?: AppLog; faults?: DrainFault[] } = {},
): Promise<{ alerts: string[] }> {
  const { appLog = log.appLog, faults = [] } = options
  const setting = { host: '127.0.0.1', logsPort: 0, syslogPort: 0, logLinesPerSecondPerApp: 0 }
  const tls = { syslogTlsPort: 0, syslogTlsPem: '', syslogTlsClientCa: '', syslogListeners: [] }
  ingest = await startIngest(
    { ...setting, ...tls },
    {
      ...{ appLog, tokens, switches, log: silentLog },
      learnToken: () => Promise.resolve(false),
      findMappedApp: () => undefined,
      findCredential: () => Promise.resolve(undefined),
    },
    () => Promise.resolve(),
  )
  const alerts: string[] = []
  canary = startCanary({
    ...{ appLog, redis: log.redis, tokens, switches, everyMs: 100, waitMs: 500 },
    inputUrl: `http://127.0.0.1:${ingest.logsPort}/logs`,
    log: Object.assign(Object.create(silentLog), {
      error: (_: object, text: string) => alerts.push(text),
    }),
    auditDrains: () => Promise.resolve({ audited: 1, faults: faults.splice(0) }),
  })
  return { alerts }
}

const untilLines = (lines: number): Promise<void> =>
  eventually(() => expect(canary.report().lines).toBeGreaterThanOrEqual(lines))

test('lines go round and round, and nothing is left of it', async () => {
  const before = await keys()
  const { alerts } = await start()
  await untilLines(4)
  const report = canary.report()
  expect(report).toMatchObject({ verdict: 'well', why: '', faults: 0, drains: 1, drainFaults: 0 })
  expect(report.tailMs).toBeGreaterThan(0)
  expect(report.drainMs).toBeGreaterThan(0)
  // Should the process be killed now, each of its keys goes by itself.
  const own = (await keys()).filter((key) => !before.includes(key))
  expect(own.length).toBeGreaterThan(2)
  for (const key of own) expect(await log.redis.ttl(key)).toBeGreaterThan(-1)
  await canary.stop()
  await eventually(async () => {
    expect((await keys()).filter((key) => !before.includes(key))).toEqual([])
  })
  expect(alerts).toEqual([])
})

test('a line that comes twice and one that is lost are alerts', async () => {
  let spoil: 'drop' | 'double' | undefined
  const appLog: AppLog = {
    ...log.appLog,
    append: async (appId: AppId, count, frames, once) => {
      const fault = spoil
      spoil = undefined
      // Never written, and said to be.
      if (fault === 'drop') return { first: 1, added: count }
      if (fault === 'double') await log.appLog.append(appId, count, Uint8Array.from(frames))
      return log.appLog.append(appId, count, frames, once)
    },
  }
  const { alerts } = await start({ appLog })
  await untilLines(2)
  spoil = 'double'
  await eventually(() => expect(alerts).toHaveLength(1))
  expect(alerts[0]).toMatch(/line \d+ came again/)
  const { lines } = canary.report()
  // It goes on with a new run of lines.
  await untilLines(lines + 2)
  expect(canary.report()).toMatchObject({ verdict: 'well', faults: 1 })
  spoil = 'drop'
  await eventually(() => expect(alerts).toHaveLength(2))
  expect(alerts[1]).toContain('a line did not come out of a tail in time')
  await untilLines(canary.report().lines + 1)
})

test('the account of any drain that does not hold is an alert', async () => {
  const { alerts } = await start({ faults: [{ drain: 'x', why: '1 line is in no account' }] })
  await eventually(() => expect(alerts).toHaveLength(1))
  expect(alerts[0]).toContain('1 line is in no account')
  await untilLines(2)
  expect(canary.report()).toMatchObject({ verdict: 'well', faults: 1 })
})

test('what the operator has switched off is no alert', async () => {
  const { alerts } = await start()
  await untilLines(1)
  switches.replace('normal', [{ appId: undefined, off: ['ingest', 'tails', 'drains', 'history'] }])
  await eventually(() =>
    expect(canary.report()).toMatchObject({ verdict: 'unknown', why: 'ingest is switched off' }),
  )
  switches.replace('normal', [])
  await untilLines(canary.report().lines + 2)
  expect(canary.report().verdict).toBe('well')
  expect(alerts).toEqual([])
})
