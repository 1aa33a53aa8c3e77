/** The beginning of what goes on in the next bytes of a connection; grows as it has to. */
export class Carry {
  /** The first `size` bytes count. */
  bytes = new Uint8Array(0)
  size = 0
  readonly #max: number

  /** @param max most bytes that are ever kept. */
  constructor(max: number) {
    this.#max = max
  }

  /** Adds from[start..end). */
  keep(from: Uint8Array, start: number, end: number): void {
    const size = this.size + end - start
    if (size > this.bytes.length) {
      const larger = new Uint8Array(Math.min(this.#max, Math.max(512, size * 2)))
      larger.set(this.bytes.subarray(0, this.size))
      this.bytes = larger
    }
    this.bytes.set(from.subarray(start, end), this.size)
    this.size = size
  }
}
