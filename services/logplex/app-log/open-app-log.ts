import { setTimeout as delay } from 'node:timers/promises'
import type { NatsConnection } from '@nats-io/transport-node'
import type { Log } from '#lib/log.ts'
import type { Redis } from '../redis.ts'
import type { AppLog } from './app-log.ts'
import { createAppend, type Added } from './append.ts'
import { openDoorbell, type Doorbell } from './doorbell.ts'
import { GrowthListeners } from './growth-listeners.ts'
import { collectWithHeap } from './heap.ts'
import { growthPollBatch, growthPollMs, growthPollWithoutNatsMs } from '../limits.ts'
import { fitIntoRedis } from './fit-into-redis.ts'
import { LogBudget } from './log-budget.ts'
import { logFunctions } from './log-functions.ts'
import { RecentChunks } from './recent-chunks.ts'
import { loadFunctions } from '../redis-functions.ts'
import { weighLogs } from './weigh-logs.ts'
import { weightFunctions } from './weight-functions.ts'
import { logBounds, readLog, readLogBack, removeLog } from './log-calls.ts'

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
}

/** Opens the logs of all apps; close() rejects the appends that still wait for Redis. */
export async function openAppLog(
  options: AppLogOptions,
): Promise<AppLog & { close: () => Promise<void> }> {
  collectWithHeap()
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
  }
  const { signal } = shared.closing
  const polling = Promise.all([pollGrowth(shared), weighLogs({ redis, budget, log }, signal)])
  return {
    append: createAppend({ redis, budget, log, signal }, (added) => announce(shared, added)),
    read: async (appId, from, bytesWanted) => {
      const chunks = shared.recent.read(appId, from, bytesWanted)
      const newest = chunks.at(-1)
      if (!newest) return readLog(redis, appId, from, bytesWanted)
      const head = Math.max(newest.first + newest.count - 1, growth.headOf(appId))
      return { chunks, bounds: { oldest: Math.min(from, head), head } }
    },
    readBack: (appId, before, bytesWanted) => readLogBack(redis, appId, before, bytesWanted),
    bounds: (appId) => logBounds(redis, appId),
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

function announce(shared: Shared, { appId, count, frames, first, added }: Added): void {
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
        const heads = await Promise.all(some.map((appId) => logBounds(redis, appId)))
        heads.forEach(({ head }, at) => {
          const appId = some[at]
          if (appId) growth.asked(appId, head)
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
