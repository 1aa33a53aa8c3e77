import { setTimeout as delay } from 'node:timers/promises'

/** A timer that is so late tells of a process that was paused. */
const standstillMs = 1_000

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

  /**
   * Resolves when that number has come or something is wrong; false after so many ms, or the
   * signal.
   */
  async has(number: number, waitMs: number, signal: AbortSignal): Promise<boolean> {
    this.#wanted = number
    const waited = new AbortController()
    this.#arrived = () => waited.abort()
    const ended = AbortSignal.any([signal, waited.signal])
    const wait = () => delay(waitMs, undefined, { signal: ended }).catch(() => undefined)
    const begin = performance.now()
    if (this.count < number && !this.fault) await wait()
    // The process stood still: what came meanwhile is not read yet.
    if (!ended.aborted && performance.now() - begin > waitMs + standstillMs) await wait()
    this.#arrived = undefined
    return this.count >= number || this.fault !== ''
  }
}
