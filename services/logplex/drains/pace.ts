import { Rate } from '../rate.ts'
import type { DrainLimits } from './limits.ts'

/**
 * How long drains that have caught up wait for more lines: the longer the more batches all drains
 * of this process send, for a batch costs much the same however many lines it has.
 */
export class Pace {
  readonly #limits: DrainLimits
  readonly #rate = new Rate(() => this.#batches)
  #batches = 0

  constructor(limits: DrainLimits) {
    this.#limits = limits
  }

  /** A batch is on its way. */
  count(): void {
    this.#batches++
  }

  /** Milliseconds, of the batches since it was last asked. */
  lingerMs(): number {
    const { lingerMsMin, lingerMsMax, lingerMsPerBatch, lingerGridMs } = this.#limits
    const wanted = this.#rate.perSecond() * lingerMsPerBatch
    const waitMs = Math.min(lingerMsMax, Math.max(lingerMsMin, wanted))
    if (waitMs < 2 * lingerGridMs) return waitMs
    return waitMs - ((performance.now() + waitMs) % lingerGridMs)
  }
}
