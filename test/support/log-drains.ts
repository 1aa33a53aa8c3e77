import { expect } from 'vitest'
import { newId, type AppId, type DrainId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import type { AppLog } from '../../services/logplex/app-log/app-log.ts'
import { startDrains, type DrainFault, type Drains } from '../../services/logplex/drains/drains.ts'
import type { DrainLimits } from '../../services/logplex/drains/limits.ts'
import type { LogDrain, LogDrainState } from '../../services/logplex/log-drain.ts'
import type { TestEngines } from './engines.ts'
import { expectBalanced } from './drain-account.ts'
import { startHttpReceiver, type HttpReceiver } from './log-receivers.ts'
import { openTestLog, type TestLog } from './logs.ts'
import { storedLines } from './stored-lines.ts'

/**
 * Drains of a process as the tests start them, with what they are fed and who receives. Whenever a
 * test asks for the state of one, its equation must hold, and the accounts of all their audit.
 */
export type TestDrains = {
  log: TestLog
  start: (
    drains: LogDrain[],
    options?: {
      mayBeLocal?: boolean
      caFile?: string
      limits?: Partial<DrainLimits>
      appLog?: AppLog
    },
  ) => Promise<Drains>
  receiver: (options?: Parameters<typeof startHttpReceiver>[0]) => Promise<HttpReceiver>
  append: (drain: LogDrain, messages: string[], options?: object) => Promise<unknown>
  /** To be closed by closeAll, the newest first. */
  closing: (() => Promise<unknown>)[]
  closeAll: () => Promise<void>
}

/**
 * A small buffer and short waits, so that overflow and retries come soon.
 *
 * @param options.bytesPerAppMax of every log that there is: each process sees to all of them
 */
export async function openTestDrains(
  engines: TestEngines,
  { bytesPerAppMax = 100_000 }: { bytesPerAppMax?: number } = {},
): Promise<TestDrains> {
  const log = await openTestLog(engines, { bytesPerAppMax })
  const quick: Partial<DrainLimits> = { retry: { firstMs: 30, maxMs: 200 }, tickMs: 100 }
  const closing: (() => Promise<unknown>)[] = []
  return {
    log,
    closing,
    start: async (
      drains,
      { mayBeLocal = true, caFile = '', limits = {}, appLog = log.appLog } = {},
    ) => {
      const { redis } = log
      const options = { appLog, redis, mayBeLocal, caFile, log: silentLog }
      const started = await startDrains({ ...options, limits: { ...quick, ...limits } })
      closing.push(() => started.stop())
      started.sync(drains)
      // A fault is told once.
      const faults: DrainFault[] = []
      const state = async (drain: LogDrain): Promise<LogDrainState> => {
        faults.push(...(await started.audit()).faults)
        expect(faults).toEqual([])
        return expectBalanced(await started.state(drain))
      }
      return { ...started, state }
    },
    receiver: async (options) => {
      const started = await startHttpReceiver(options)
      closing.push(() => started.close())
      return started
    },
    append: (drain, messages, options) =>
      log.appLog.append(drain.appId, messages.length, storedLines(messages, options)),
    closeAll: async () => {
      for (const close of closing.splice(0).toReversed()) await close()
    },
  }
}

/** A drain of an app of its own. */
export const drainTo = (url: string): LogDrain => ({
  id: newId<DrainId>(),
  appId: newId<AppId>(),
  token: `d.${newId()}`,
  url,
  firstLine: 1,
})

/** n1, n2, … each filled up to a length. */
export const numbered = (from: number, to: number, length = 0): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => `n${from + index}`.padEnd(length, '.'))

/** Messages of app[web.1] that were posted, in order. */
export const postedMessages = (posts: { frames: string[] }[]): string[] =>
  posts.flatMap(({ frames }) =>
    frames
      .filter((frame) => frame.includes(' app web.1 '))
      .map((frame) => frame.slice(frame.indexOf(' - ') + 3)),
  )

/** What the state of a drain says that has nothing more to do. */
export const settled = { pending: 0, lastError: '' }
