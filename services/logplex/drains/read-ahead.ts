import type { AppId } from '#lib/ids.ts'
import type { AppLog, LogChunk, LogReading } from '../app-log/app-log.ts'
import type { DrainLimits } from './limits.ts'

/** Bytes that drains which are behind may hold beyond the batch that they are at, all together. */
export class AheadAllowance {
  #left: number

  constructor({ aheadBytesMax }: DrainLimits) {
    this.#left = aheadBytesMax
  }

  /** So many bytes, or none when there are not as many left. */
  take(bytes: number): number {
    if (bytes > this.#left) return 0
    this.#left -= bytes
    return bytes
  }

  giveBack(bytes: number): void {
    this.#left += bytes
  }
}

export type ReadAheadDeps = { appLog: AppLog; ahead: AheadAllowance; limits: DrainLimits }

/**
 * Reads a log for one drain, several batches at a time while that is behind: to ask Redis for each of
 * them is a way there and back, twice.
 */
export class ReadAhead {
  readonly #deps: ReadAheadDeps
  readonly #appId: AppId
  #chunks: LogChunk[] = []
  #allowed = 0

  constructor(deps: ReadAheadDeps, appId: AppId) {
    this.#deps = deps
    this.#appId = appId
  }

  /**
   * As AppLog.read, from what was read before if all that is wanted is there: `oldest` is then the
   * line itself. So what a batch holds goes by its limits alone, and is the same when it comes again.
   *
   * @param head of the log, as far as the drain knows
   */
  async read(from: number, bytesWanted: number, head: number): Promise<LogReading> {
    const { appLog, ahead, limits } = this.#deps
    this.#chunks = this.#chunks.filter(({ first, count }) => first + count > from)
    const [next] = this.#chunks
    const last = this.#chunks.at(-1)
    if (next && last && next.first <= from) {
      const end = last.first + last.count - 1
      const whole = next.first === from ? this.#chunks : this.#chunks.slice(1)
      const bytes = whole.reduce((sum, { frames }) => sum + frames.length, 0)
      if (bytes >= bytesWanted || end >= head)
        return { chunks: this.#chunks, bounds: { oldest: from, head: Math.max(head, end) } }
    }
    this.letGo()
    const isBehind = head - from >= limits.aheadLinesMin
    this.#allowed = isBehind ? ahead.take(limits.aheadBytesPerDrainMax) : 0
    const reading = await appLog.read(this.#appId, from, bytesWanted + this.#allowed)
    if (this.#allowed > 0) this.#chunks = reading.chunks
    return reading
  }

  /** What was read is of no further use. */
  letGo(): void {
    this.#deps.ahead.giveBack(this.#allowed)
    this.#allowed = 0
    this.#chunks = []
  }
}
