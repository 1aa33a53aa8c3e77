/** A rate is measured over at least so long: shorter, it is that of a single burst. */
const windowMs = 50

/** How many a second there are of something, by a counter that is looked at now and then. */
export class Rate {
  readonly #count: () => number
  #sinceMs = 0
  #countThen = 0
  #perMs = 0

  constructor(count: () => number) {
    this.#count = count
  }

  /** Over the time since it was asked last, or the last 50 ms when that is less. */
  perSecond(nowMs = performance.now()): number {
    const passedMs = nowMs - this.#sinceMs
    if (passedMs >= windowMs) {
      const count = this.#count()
      this.#perMs = (count - this.#countThen) / passedMs
      this.#sinceMs = nowMs
      this.#countThen = count
    }
    return this.#perMs * 1000
  }
}
