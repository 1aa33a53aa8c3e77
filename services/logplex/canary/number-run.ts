import { setTimeout as delay } from 'node:timers/promises'

/** Numbers as they come out somewhere: 1, 2, 3 … each once, or what is wrong with them. */
export class NumberRun {
  /** What is wrong; empty while all is well. */
  fault = ''
  #next = 1
  #wanted = 0
  #arrived: (() => void) | undefined

  /** How many have come. */
  get count(): number {
    return this.#next - 1
  }

  take(number: number): void {
    if (number === this.#next) this.#next++
    else if (number > this.#next)
      this.fault ||= `${number - this.#next} lines from ${this.#next} on are missing`
    else this.fault ||= `line ${number} came again`
    if (this.#next > this.#wanted || this.fault) this.#arrived?.()
  }

  /** Resolves when that number has come or something is wrong; false after so many ms, or the signal. */
  async has(number: number, waitMs: number, signal: AbortSignal): Promise<boolean> {
    this.#wanted = number
    const waited = new AbortController()
    this.#arrived = () => waited.abort()
    if (this.count < number && !this.fault)
      await delay(waitMs, undefined, {
        signal: AbortSignal.any([signal, waited.signal]),
      }).catch(() => undefined)
    this.#arrived = undefined
    return this.count >= number || this.fault !== ''
  }
}
