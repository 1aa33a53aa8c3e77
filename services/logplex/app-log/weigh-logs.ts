import { setTimeout as delay } from 'node:timers/promises'
import type { AppId } from '#lib/ids.ts'
import type { Log } from '#lib/log.ts'
import type { Redis } from '../redis.ts'
import { weighFirstPauseMs, weighPauseMs } from '../limits.ts'
import type { LogBudget } from './log-budget.ts'
import { scanLogs } from './log-calls.ts'
import { scanWeights } from './weights.ts'

type Scan = (redis: Redis, cursor: string) => Promise<{ cursor: string; appIds: AppId[] }>

/**
 * Weighs all logs that there are, once, which finds what a killed process has not noted; then, over
 * and over and slowly, those that are noted, which finds what has expired.
 */
export async function weighLogs(
  { redis, budget, log }: { redis: Redis; budget: LogBudget; log: Log },
  signal: AbortSignal,
): Promise<void> {
  let scan: Scan = scanLogs
  let cursor = '0'
  while (!signal.aborted) {
    const pauseMs = scan === scanLogs ? weighFirstPauseMs : weighPauseMs
    await delay(pauseMs, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    try {
      const found = await scan(redis, cursor)
      await Promise.all(found.appIds.map((appId) => budget.weigh(appId)))
      cursor = found.cursor
      if (cursor === '0') scan = scanWeights
    } catch (error) {
      log.debug({ err: error }, 'logs could not be weighed')
    }
  }
}
