import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { NatsConnection } from '@nats-io/transport-node'
import { backoffMs } from '#lib/backoff.ts'
import type { AppId } from '#lib/ids.ts'
import type { Log } from '#lib/log.ts'
import type { Redis } from '../redis.ts'
import type { Appended, AppLog, LogBounds } from './app-log.ts'
import { openDoorbell, type Doorbell } from './doorbell.ts'
import { GrowthListeners } from './growth-listeners.ts'
import { appendBackoff, growthPollBatch, growthPollMs, growthPollWithoutNatsMs } from '../limits.ts'
import { fitIntoRedis } from './fit-into-redis.ts'
import { LogBudget } from './log-budget.ts'
import { logFunctions } from './log-functions.ts'
import { RecentChunks } from './recent-chunks.ts'
import { loadFunctions } from '../redis-functions.ts'
import { weighLogs } from './weigh-logs.ts'
import { weightFunctions } from './weight-functions.ts'
import { appendLog, readLog, readLogBack, removeLog, type LogAppend } from './log-calls.ts'

export type AppLogOptions = {
  redis: Redis
  nats: NatsConnection
  log: Log
  /** What an app's log may weigh beyond its newest 1,500 lines, in bytes … */
  bytesPerAppMax: number
  /** … and all of them together. */
  bytesMax: number
}

type Shared = AppLogOptions & {
  recent: RecentChunks
  growth: GrowthListeners
  doorbell: Doorbell
  closing: AbortController
  budget: LogBudget
  /** Appends that Redis has refused at least once and that are tried again. */
  waiting: number
}

/** Opens the logs of all apps; close() rejects the appends that still wait for Redis. */
export async function openAppLog(
  options: AppLogOptions,
): Promise<AppLog & { close: () => Promise<void> }> {
  const { redis, log } = options
  await loadFunctions(redis, logFunctions)
  await loadFunctions(redis, weightFunctions)
  const bytesMax = await fitIntoRedis(redis, options.bytesMax, log)
  const budget = new LogBudget({ ...options, bytesMax })
  const growth = new GrowthListeners()
  const shared: Shared = {
    ...options,
    growth,
    recent: new RecentChunks(),
    doorbell: openDoorbell(options.nats, (appId, head) => growth.tell(appId, head), options.log),
    closing: new AbortController(),
    budget,
    waiting: 0,
  }
  const { signal } = shared.closing
  const polling = Promise.all([pollGrowth(shared), weighLogs({ redis, budget, log }, signal)])
  return {
    append: createAppend(shared),
    read: async (appId, from, maxBytes) => {
      const chunks = shared.recent.read(appId, from, maxBytes)
      const newest = chunks.at(-1)
      if (!newest) return readLog(redis, appId, from, maxBytes)
      const head = Math.max(newest.first + newest.count - 1, growth.headOf(appId))
      return { chunks, bounds: { oldest: Math.min(from, head), head } }
    },
    readBack: (appId, before, maxBytes) => readLogBack(redis, appId, before, maxBytes),
    bounds: (appId) => boundsOf(redis, appId),
    onGrew: (appId, listener) => {
      const stop = growth.add(appId, listener)
      return () => {
        stop()
        if (!growth.has(appId)) shared.recent.forget(appId)
      }
    },
    remove: async (appId) => {
      await removeLog(redis, appId)
      budget.weighed(appId, { bytes: 0, canShrink: false })
      shared.recent.forget(appId)
    },
    close: async () => {
      shared.closing.abort()
      shared.doorbell.stop()
      await polling
      await budget.close()
    },
  }
}

async function boundsOf(redis: Redis, appId: AppId): Promise<LogBounds> {
  return (await readLog(redis, appId, 1, 0)).bounds
}

function createAppend(shared: Shared): AppLog['append'] {
  const writer = randomBytes(8).toString('hex')
  const last = new Map<AppId, Promise<unknown>>()
  let batch = 0
  return (appId, count, frames, once) => {
    const append = { appId, count, frames, writer, batch: ++batch, once }
    // One at a time per app: only so is the last batch the one that may have been asked twice.
    const added = (last.get(appId) ?? Promise.resolve()).then(() => keepAppending(shared, append))
    const settled = added
      .then(noMatter, noMatter)
      .finally(() => last.get(appId) === settled && last.delete(appId))
    last.set(appId, settled)
    return added
  }
}

/** Whoever gave the lines hears how it went; the next ones only wait for the end of it. */
function noMatter(): undefined {}

/** Goes on until Redis has the lines: giving up is for whoever gave them, by stopping to give. */
async function keepAppending(
  shared: Shared,
  append: Omit<LogAppend, 'bytesMax'>,
): Promise<Appended> {
  const { redis, closing, budget } = shared
  for (let tries = 1; ; tries++) {
    try {
      closing.signal.throwIfAborted()
      const { weight, ...appended } = await appendLog(redis, {
        ...append,
        bytesMax: budget.bytesPerApp,
      })
      if (weight) budget.weighed(append.appId, weight)
      if (tries > 1) tellWaiting(shared, -1)
      if (appended.added > 0) announce(shared, append, appended)
      return appended
    } catch (error) {
      if (closing.signal.aborted)
        throw new Error('the app log was closed before Redis had the lines', { cause: error })
      if (tries === 1) tellWaiting(shared, 1, error)
      await delay(backoffMs(tries, appendBackoff), undefined, { signal: closing.signal }).catch(
        () => undefined,
      )
    }
  }
}

/** An outage is told once, and its end, however many apps wait. */
function tellWaiting(shared: Shared, change: number, error?: unknown): void {
  shared.waiting += change
  if (shared.waiting === 1 && change > 0) shared.log.warn({ err: error }, 'lines wait for redis')
  if (shared.waiting === 0) shared.log.info('lines no longer wait for redis')
}

function announce(
  shared: Shared,
  append: Pick<LogAppend, 'appId' | 'count' | 'frames'>,
  { first, added }: Appended,
): void {
  const { appId, count, frames } = append
  const head = first + added - 1
  // What was left out as repeated is in these frames: readers are to ask Redis.
  if (added === count && shared.growth.has(appId))
    shared.recent.add(appId, { first, count, frames })
  shared.growth.tell(appId, head)
  shared.doorbell.ring(appId, head)
}

/** Finds what no doorbell told: rarely while NATS is there, often while it is not. */
async function pollGrowth(shared: Shared): Promise<void> {
  const { redis, growth, doorbell, closing, log } = shared
  const { signal } = closing
  while (!signal.aborted) {
    const pause = doorbell.connected() ? growthPollMs : growthPollWithoutNatsMs
    await waitForNatsLoss(pause, doorbell, signal)
    const apps = growth.apps()
    for (let index = 0; index < apps.length && !signal.aborted; index += growthPollBatch) {
      const some = apps.slice(index, index + growthPollBatch)
      try {
        const heads = await Promise.all(some.map((appId) => boundsOf(redis, appId)))
        heads.forEach(({ head }, at) => {
          const appId = some[at]
          if (appId) growth.tell(appId, head)
        })
      } catch (error) {
        log.debug({ err: error }, 'growth of logs could not be asked for')
        break
      }
    }
  }
}

/** Waits so long, but no longer than the short pause once NATS is away. */
async function waitForNatsLoss(ms: number, doorbell: Doorbell, signal: AbortSignal): Promise<void> {
  for (let waited = 0; waited < ms && !signal.aborted; waited += growthPollWithoutNatsMs) {
    await delay(growthPollWithoutNatsMs, undefined, { signal }).catch(() => undefined)
    if (!doorbell.connected()) return
  }
}
