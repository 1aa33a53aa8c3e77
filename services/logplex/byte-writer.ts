import { copyView, digitsMax, newView, viewOf, writeNumber } from './bytes.ts'

/** Up to here it is mostly a constant, whose view would take the place of the lines' own. */
const constantBytesMax = 24

/** A buffer that grows by what is written: bytes are copied in, no string is made. */
export class ByteWriter {
  #bytes: Buffer
  #view: DataView
  #length = 0

  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafe(Math.max(capacity, 64))
    this.#view = newView(this.#bytes)
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = value
  }

  copy(from: Uint8Array, start = 0, end = from.length): void {
    const size = end - start
    if (size <= 0) return
    this.#reserve(size)
    if (size > constantBytesMax)
      this.#length = copyView(this.#view, this.#length, viewOf(from), start, end)
    else for (let at = start; at < end; at++) this.#bytes[this.#length++] = from[at] ?? 0
  }

  /** What another writer has written. */
  append(other: ByteWriter): void {
    this.#reserve(other.#length)
    this.#length = copyView(this.#view, this.#length, other.#view, 0, other.#length)
  }

  /** A whole number >= 0 in decimal digits. */
  number(value: number): void {
    this.#reserve(digitsMax)
    this.#length = writeNumber(this.#view, this.#length, value)
  }

  /**
   * For whoever writes much at a time: the bytes, with room for so many more from `length` on, and
   * `wrote` says where they end.
   */
  room(bytes: number): DataView {
    this.#reserve(bytes)
    return this.#view
  }

  get length(): number {
    return this.#length
  }

  wrote(end: number): void {
    this.#length = end
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
    this.#view = newView(larger)
  }
}
