import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '#lib/backoff.ts'
import type { AppId } from '#lib/ids.ts'
import type { Log } from '#lib/log.ts'
import { joinCalls, type JoinedCall } from '../join-calls.ts'
import type { Redis } from '../redis.ts'
import { isCallsOwnError } from '../redis-functions.ts'
import { appendBackoff, appendsBytesMax, appendsPerCallMax, placedBytesMin } from '../limits.ts'
import { LogEnds } from './log-ends.ts'
import type { Appended, AppLog } from './app-log.ts'
import type { LogBudget } from './log-budget.ts'
import {
  appendLogs,
  appendOnce,
  misplaced,
  type LogAppended,
  type BatchAppend,
} from './log-calls.ts'

type AppendDeps = {
  redis: Redis
  budget: LogBudget
  log: Log
  /** Ends the appends that still wait for Redis. */
  signal: AbortSignal
}

/** Lines that were given, and what was added of them. */
export type Added = Pick<BatchAppend, 'appId' | 'count' | 'frames'> & Appended

type Wanted = Omit<BatchAppend, 'bytesMax' | 'behind'> & { once: string | undefined }

/** Appends as AppLog says; `onAdded` hears of what came into a log before whoever gave it does. */
export function createAppend(deps: AppendDeps, onAdded: (added: Added) => void): AppLog['append'] {
  const last = new Map<AppId, Promise<unknown>>()
  const appender = new Appender(deps)
  let batch = 0
  const append = async (wanted: Wanted): Promise<Appended> => {
    const appended = await appender.keepAppending(wanted)
    if (appended.added > 0) onAdded({ ...wanted, ...appended })
    return appended
  }
  return (appId, count, frames, once) => {
    const parts = typeof once === 'object' ? once : []
    const onceId = typeof once === 'string' ? once : undefined
    const wanted = { appId, count, frames, parts, batch: ++batch, once: onceId }
    // One at a time per app: only so is the last batch the one that may have been asked twice.
    const before = last.get(appId)
    const added = before ? before.then(() => append(wanted)) : append(wanted)
    const settled = added
      .then(noMatter, noMatter)
      .finally(() => last.get(appId) === settled && last.delete(appId))
    last.set(appId, settled)
    return added
  }
}

/** Whoever gave the lines hears how it went; the next ones only wait for the end of it. */
function noMatter(): undefined {}

class Appender {
  readonly #deps: AppendDeps
  readonly #writer = randomBytes(8).toString('hex')
  readonly #join: JoinedCall<BatchAppend, LogAppended | typeof misplaced>
  readonly #ends = new LogEnds()
  /** Appends that Redis has refused at least once and that are tried again. */
  #waiting = 0

  constructor(deps: AppendDeps) {
    this.#deps = deps
    this.#join = joinCalls({
      call: (appends) => appendLogs(deps.redis, this.#writer, appends),
      callMax: appendsPerCallMax,
      bytesMax: appendsBytesMax,
      bytesOf: ({ frames }) => frames.length,
    })
  }

  /** Goes on until Redis has the lines: giving up is for whoever gave them, by stopping to give. */
  async keepAppending(wanted: Wanted): Promise<Appended> {
    const { budget, signal } = this.#deps
    let alone = false
    for (let tries = 1; ; tries++) {
      try {
        signal.throwIfAborted()
        const { weight, ...appended } = await this.#try(wanted, alone)
        if (weight) budget.weighed(wanted.appId, weight)
        if (tries > 1) this.#tellWaiting(-1)
        return appended
      } catch (error) {
        if (signal.aborted)
          throw new Error('the app log was closed before Redis had the lines', { cause: error })
        alone = isCallsOwnError(error)
        if (tries === 1) this.#tellWaiting(1, error)
        await delay(backoffMs(tries, appendBackoff), undefined, { signal }).catch(() => undefined)
      }
    }
  }

  async #try({ once, ...wanted }: Wanted, alone: boolean): Promise<LogAppended> {
    const { redis, budget } = this.#deps
    const append = { ...wanted, bytesMax: budget.bytesPerApp }
    const appended =
      once === undefined ? await this.#add(append, alone) : await appendOnce(redis, append, once)
    this.#ends.set(wanted.appId, appended)
    return appended
  }

  /** Places many bytes where the log is known to end; adds others as they are. */
  async #add(append: BatchAppend, alone: boolean): Promise<LogAppended> {
    const { appId, frames } = append
    const behind = frames.length < placedBytesMin ? undefined : this.#ends.get(appId)
    const placed = await this.#join({ ...append, behind }, { alone })
    if (placed !== misplaced) return placed
    this.#ends.distrust(appId)
    const added = await this.#join(append, { alone })
    if (added === misplaced) throw new Error('lines were misplaced that were not placed')
    return added
  }

  /** An outage is told once, and its end, however many apps wait. */
  #tellWaiting(change: number, error?: unknown): void {
    const { log } = this.#deps
    this.#waiting += change
    if (this.#waiting === 1 && change > 0) log.warn({ err: error }, 'lines wait for redis')
    if (this.#waiting === 0) log.info('lines no longer wait for redis')
  }
}
