/** A run of lines that a reader got although it had them already. */
export type Repeat = { from: number; lines: number }

/**
 * What one reader got of an app's numbered lines, in the order in which it came. Throws as soon as
 * that order is broken: a line is new, or one of a run that was there before.
 */
export class LineAccount {
  /** Lines that came, each once. */
  readonly seen = new Set<number>()
  readonly repeats: Repeat[] = []
  /** Lines that the reader was told it lost. */
  told = 0
  /** Lines of the plexer's own in the app's log: that a drain lost some. */
  own = 0
  #last = 0
  #highest = 0

  /** A line as it came, up to its message and a part of that. */
  take(line: string): void {
    const number = Number(/ n(\d+) /.exec(line)?.[1] ?? 0)
    if (number > 0) this.#takeNumber(number)
    else if (/drain 'd\.[^']*' dropped/.test(line)) this.own++
    else this.told += Number(/(\d+) messages (?:dropped )?since/.exec(line)?.[1] ?? 0)
  }

  #takeNumber(number: number): void {
    if (number > this.#highest) {
      this.#highest = number
      this.seen.add(number)
    } else {
      if (!this.seen.has(number)) throw new Error(`n${number} came behind n${this.#highest}`)
      const repeat = this.repeats.at(-1)
      if (repeat && number === this.#last + 1) repeat.lines++
      else this.repeats.push({ from: number, lines: 1 })
    }
    this.#last = number
  }

  /** Those of 1 … last that never came. */
  missing(last: number): number[] {
    const numbers = Array.from({ length: last }, (_, index) => index + 1)
    return numbers.filter((number) => !this.seen.has(number))
  }
}
