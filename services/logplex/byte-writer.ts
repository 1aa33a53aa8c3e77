// Up to here a loop over bytes is quicker than a view and a native copy (about 70 ns).
const loopBytesMax = 48

/** A buffer that grows by what is written: bytes are copied in, no string is made. */
export class ByteWriter {
  #bytes: Buffer
  #length = 0

  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafe(Math.max(capacity, 64))
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = value
  }

  copy(from: Uint8Array, start = 0, end = from.length): void {
    if (end <= start) return
    this.#reserve(end - start)
    if (end - start > loopBytesMax) {
      this.#bytes.set(from.subarray(start, end), this.#length)
      this.#length += end - start
      return
    }
    const bytes = this.#bytes
    let to = this.#length
    for (let at = start; at < end; at++) bytes[to++] = from[at] ?? 0
    this.#length = to
  }

  /** A whole number >= 0 in decimal digits. */
  number(value: number): void {
    let digits = 1
    for (let limit = 10; value >= limit; limit *= 10) digits++
    this.#reserve(digits)
    let rest = value
    for (let at = this.#length + digits - 1; at >= this.#length; at--) {
      this.#bytes[at] = 0x30 + (rest % 10)
      rest = Math.floor(rest / 10)
    }
    this.#length += digits
  }

  /** What was written; the writer is not to be used again. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  #reserve(more: number): void {
    const wanted = this.#length + more
    if (wanted <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(wanted, this.#bytes.length * 2))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}
