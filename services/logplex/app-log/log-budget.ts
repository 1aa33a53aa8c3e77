import type { AppId } from '#lib/ids.ts'
import { formatBytes } from '#lib/format-bytes.ts'
import type { Log } from '#lib/log.ts'
import type { Redis } from '../redis.ts'
import {
  balanceRoundsMax,
  levelKeptMs,
  logsShrunkAtOnce,
  weightsNotedAtOnce,
  weightsNotedMs,
} from '../limits.ts'
import { shrinkLog, type LogWeight } from './log-calls.ts'
import { noteWeights } from './weights.ts'

type Deps = {
  redis: Redis
  log: Log
  /**
   * What an app's log may weigh beyond its newest 1,500 lines, and what all may together, in bytes.
   */
  bytesPerAppMax: number
  bytesMax: number
}

/**
 * Keeps all logs together within their bytes. What each weighs comes with the answer to an append
 * and is noted a moment later, for many apps in one call. When the sum is too much, the heaviest
 * give way down to a common level: so much that they are as heavy as each other, but no lighter
 * than their newest 1,500 lines; nobody below the level gives anything. The level also bounds what
 * is appended here until it has been asked about again.
 */
export class LogBudget {
  /** What all logs weighed when that was last noted, in bytes. */
  bytes = 0
  readonly #deps: Deps
  readonly #unnoted = new Map<AppId, LogWeight>()
  #timer: NodeJS.Timeout | undefined
  #noting: Promise<void> = Promise.resolve()
  #level = Infinity
  #levelUntil = 0
  #closed = false
  #overfull = false

  constructor(deps: Deps) {
    this.#deps = deps
  }

  /** What an app's log may weigh now, in bytes. */
  get bytesPerApp(): number {
    const { bytesPerAppMax } = this.#deps
    if (this.#level > bytesPerAppMax || performance.now() > this.#levelUntil) return bytesPerAppMax
    return this.#level
  }

  /** A log weighs so much now. */
  weighed(appId: AppId, weight: LogWeight): void {
    this.#unnoted.set(appId, weight)
    this.#timer ??= this.#closed ? undefined : setTimeout(() => this.#noteSoon(), weightsNotedMs)
  }

  /** Looks at the log again, which may have changed without an append: expired, removed. */
  async weigh(appId: AppId): Promise<void> {
    this.weighed(appId, await shrinkLog(this.#deps.redis, appId, this.bytesPerApp))
  }

  /** Waits for what is under way; what is not noted yet is found at the next process's start. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#noting
  }

  #noteSoon(): void {
    this.#timer = undefined
    this.#noting = this.#noting.then(() => this.#note())
  }

  async #note(): Promise<void> {
    try {
      for (let round = 0; round < balanceRoundsMax && !this.#closed; round++) {
        const tooHeavy = await this.#noteSome()
        if (tooHeavy.length === 0 && this.#unnoted.size === 0) return
        await this.#shrink(tooHeavy)
      }
    } catch (error) {
      this.#deps.log.debug({ err: error }, 'weights of logs could not be noted')
    }
    // The rest after a moment: other work waits, or Redis is away.
    if (this.#unnoted.size > 0 && !this.#closed)
      this.#timer ??= setTimeout(() => this.#noteSoon(), weightsNotedMs)
  }

  /** Answers which logs are too heavy now. */
  async #noteSome(): Promise<AppId[]> {
    const { redis, bytesMax } = this.#deps
    const some = [...this.#unnoted].slice(0, weightsNotedAtOnce)
    const { bytes, level, tooHeavy } = await noteWeights(redis, some, bytesMax)
    // What was weighed again meanwhile stays to be noted.
    for (const [appId, weight] of some)
      if (this.#unnoted.get(appId) === weight) this.#unnoted.delete(appId)
    this.bytes = bytes
    this.#level = tooHeavy.length > 0 ? level : Infinity
    this.#levelUntil = performance.now() + levelKeptMs
    this.#tellOverfull(bytes > bytesMax && tooHeavy.length === 0)
    return tooHeavy
  }

  async #shrink(appIds: AppId[]): Promise<void> {
    const level = this.bytesPerApp
    for (let at = 0; at < appIds.length; at += logsShrunkAtOnce) {
      const some = appIds.slice(at, at + logsShrunkAtOnce)
      await Promise.all(some.map((appId) => this.#shrinkTo(appId, level)))
    }
  }

  async #shrinkTo(appId: AppId, bytes: number): Promise<void> {
    this.#unnoted.set(appId, await shrinkLog(this.#deps.redis, appId, bytes))
  }

  /** Nothing is left that may go: each log has its newest 1,500 lines, and there are too many. */
  #tellOverfull(overfull: boolean): void {
    if (overfull === this.#overfull) return
    this.#overfull = overfull
    const { log, bytesMax } = this.#deps
    const { bytes } = this
    if (!overfull) log.info({ bytes, bytesMax }, 'logs are within PLEXUS_LOG_BYTES again')
    else
      log.warn(
        { bytes, bytesMax },
        `the newest lines of all logs weigh ${formatBytes(bytes)}, more than PLEXUS_LOG_BYTES, ` +
          'and are kept: give Redis more memory and raise PLEXUS_LOG_BYTES',
      )
  }
}
