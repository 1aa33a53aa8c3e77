import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '#lib/backoff.ts'
import type { DrainId } from '#lib/ids.ts'
import type { Log } from '#lib/log.ts'
import type { JoinedCall } from '../join-calls.ts'
import { isCallsOwnError } from '../redis-functions.ts'
import { DrainAudit } from './drain-audit.ts'
import { newFields, type CursorCommit, type DrainCursor } from './drain-cursor.ts'
import type { DrainLimits } from './limits.ts'

export type HeldCursorDeps = {
  /** Moves a drain's cursor; false when another process has the drain by now. */
  commit: JoinedCall<CursorCommit, boolean>
  log: Log
  limits: DrainLimits
}

type Held = { id: DrainId; firstLine: number; cursor: DrainCursor; stopping: AbortSignal }

/** The cursor of a drain that this process owns: as it is here, and behind it as Redis has it. */
export class HeldCursor {
  readonly #deps: HeldCursorDeps
  readonly #id: DrainId
  readonly #stopping: AbortSignal
  readonly #audit: DrainAudit
  #now: DrainCursor
  #written = Promise.resolve(true)
  #lost = false

  constructor(deps: HeldCursorDeps, { id, firstLine, cursor, stopping }: Held) {
    this.#deps = deps
    this.#id = id
    this.#now = cursor
    this.#stopping = stopping
    this.#audit = new DrainAudit(firstLine, cursor)
  }

  get now(): DrainCursor {
    return this.#now
  }

  /** Another process has the drain now: this one may move nothing any more. */
  get lost(): boolean {
    return this.#lost
  }

  lose(): void {
    this.#lost = true
  }

  /** What does not hold of its account: here, or in a cursor that Redis has; undefined: all does. */
  fault(stored?: DrainCursor): string | undefined {
    return stored ? this.#audit.storedFault(stored) : this.#audit.fault(this.#now)
  }

  /**
   * Changes it, here and in Redis, one change after the other, for as long as that takes: what was
   * delivered is delivered.
   *
   * @param lines that it moves past, counted apart from the cursor: the two have to agree
   * @returns false when the drain is no longer ours: then its new owner sends the batch in flight a
   * second time.
   */
  move(change: (cursor: DrainCursor) => Partial<DrainCursor>, lines = 0): Promise<boolean> {
    this.#written = this.#written.then(() => {
      const expectedNext = this.#now.next
      const changed = newFields(this.#now, change(this.#now))
      this.#now = { ...this.#now, ...changed }
      this.#audit.count(lines)
      return this.#write({
        id: this.#id,
        expectedNext,
        cursor: { ...changed, next: this.#now.next },
      })
    })
    return this.#written
  }

  async #write(moved: CursorCommit): Promise<boolean> {
    const { commit, limits, log } = this.#deps
    let alone = false
    for (let tries = 1; !this.#lost; tries++) {
      try {
        const ours = await commit(moved, { alone })
        if (!ours) this.#lost = true
        return ours
      } catch (error) {
        if (this.#stopping.aborted) return false
        alone = isCallsOwnError(error)
        log.warn({ err: error, drain: this.#id }, 'drain waits for redis to move its cursor')
        const pauseMs = backoffMs(tries, limits.redisRetry)
        await delay(pauseMs, undefined, { signal: this.#stopping }).catch(() => undefined)
      }
    }
    return false
  }
}
