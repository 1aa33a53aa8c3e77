import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { newId, type AppId } from '#lib/ids.ts'
import type { Engine } from '../../../local-platform/engines/engine.ts'
import { startRedis } from '../../../local-platform/engines/redis.ts'
import { eventually } from '../../../test/support/eventually.ts'
import {
  keptMessages,
  openTestLog,
  storedFrames,
  type TestLog,
} from '../../../test/support/logs.ts'
import { freePortBase } from '../../../test/support/ports.ts'
import { logLinesMin } from '../limits.ts'
import { shrinkLog } from './log-calls.ts'

const engines = inject('engines')
const budget = 2_000_000
const weights = 'plexus:{log-weights}'

let dir: string
let redis: Engine
let one: TestLog
let other: TestLog

/** A Redis of its own: what all logs weigh is one figure. */
const open = (bytesMax = budget): Promise<TestLog> =>
  openTestLog(engines, { redisUrl: `redis://logplex:pw@127.0.0.1:${port}`, bytesMax })
let port: number

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'plexus-budget-'))
  port = await freePortBase()
  redis = await startRedis({ binary: engines.redisServer, dir, port, password: 'pw' })
  one = await open()
  other = await open()
})

afterAll(async () => {
  await one.close()
  await other.close()
  await redis.stop()
  await rm(dir, { recursive: true, force: true })
})

const lines = (count: number, name: string): string[] =>
  Array.from({ length: count }, (_, at) => `${name} ${at}`.padEnd(200, '.'))

/** Appends so many lines of some 270 bytes, in chunks as the intake makes them. */
async function fill({ appLog }: TestLog, appId: AppId, count: number): Promise<void> {
  for (let at = 0; at < count; at += 250)
    await appLog.append(appId, 250, storedFrames(...lines(250, `l${at}`)))
}

const kept = async (appId: AppId): Promise<number> => (await keptMessages(one.appLog, appId)).length
const noted = async (appId: AppId): Promise<number> =>
  Number((await one.redis.hGet(weights, appId)) ?? 0)
const total = async (): Promise<number> => Number(await one.redis.get(`${weights}:total`))
const weigh = (appId: AppId) => shrinkLog(one.redis, appId, Infinity)

test('when all logs together are too heavy the heaviest give way, and no other one', async () => {
  const [loud, loudToo, quiet, small] = [
    newId<AppId>(),
    newId<AppId>(),
    newId<AppId>(),
    newId<AppId>(),
  ]
  await one.appLog.append(small, 250, storedFrames(...lines(250, 'small')))
  await fill(other, quiet, 2_000)
  await Promise.all([fill(one, loud, 6_000), fill(other, loudToo, 4_000)])
  await eventually(async () => {
    const [ofLoud, ofLoudToo] = [await kept(loud), await kept(loudToo)]
    expect(Math.abs(ofLoud - ofLoudToo)).toBeLessThanOrEqual(500)
    expect(Math.min(ofLoud, ofLoudToo)).toBeGreaterThanOrEqual(logLinesMin)
    expect(await total()).toBeLessThanOrEqual(budget)
  })
  expect(await kept(small)).toBe(250)
  expect(await kept(quiet)).toBe(2_000)
  for (const appId of [loud, loudToo, quiet, small]) await one.appLog.remove(appId)
  await eventually(async () => expect(await total()).toBe(0))
})

test('a log gives way down to its newest 1,500 lines, however heavy all are', async () => {
  const apps = [
    newId<AppId>(),
    newId<AppId>(),
    newId<AppId>(),
    newId<AppId>(),
    newId<AppId>(),
    newId<AppId>(),
  ]
  for (const appId of apps) await fill(one, appId, 2_500)
  await eventually(async () => {
    for (const appId of apps) expect(await kept(appId)).toBe(logLinesMin)
  })
  expect(await total()).toBeGreaterThan(budget)
  for (const appId of apps) await one.appLog.remove(appId)
  await eventually(async () => expect(await total()).toBe(0))
})

test('what a killed process did not note, and what has expired, is found by the next one', async () => {
  const [unnoted, expired] = [newId<AppId>(), newId<AppId>()]
  await fill(one, unnoted, 500)
  await fill(one, expired, 500)
  await eventually(async () => expect(await noted(unnoted)).toBe((await weigh(unnoted)).bytes))
  const heavy = await total()
  await one.redis.hDel(weights, unnoted)
  await one.redis.set(`${weights}:total`, String(heavy / 2))
  await one.redis.del(`plexus:log:{${expired}}`)
  const next = await open()
  await eventually(async () => {
    expect(await noted(unnoted)).toBe((await weigh(unnoted)).bytes)
    expect(await noted(expired)).toBe(0)
    expect(await total()).toBe(heavy / 2)
  })
  await next.close()
})
