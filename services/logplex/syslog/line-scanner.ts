import { lineBytesMax } from '../limits.ts'
import { Carry } from './carry.ts'
import type { FrameVisitor, Scanner } from './frame.ts'

const newline = 0x0a
const carriageReturn = 0x0d

/**
 * Lines that end with a newline (RFC 6587 § 3.4.2, non-transparent framing), however the bytes of
 * their connection are cut. Empty ones are let pass, the end of the connection ends the last one,
 * and a line of more than 64 kB is malformed.
 */
export class LineScanner implements Scanner {
  malformed = 0
  ended = 0
  readonly #visit: FrameVisitor
  /** A carriage return does not count. */
  readonly #carry = new Carry(lineBytesMax + 1)
  #skipping = false

  constructor(visit: FrameVisitor) {
    this.#visit = visit
  }

  get partial(): boolean {
    return this.#carry.size > 0 || this.#skipping
  }

  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const found = bytes.indexOf(newline, at)
      const end = found < 0 ? bytes.length : found
      if (found >= 0 && !this.partial) this.#line(bytes, at, end)
      else this.#goOn(bytes, at, end, found >= 0)
      at = end + 1
    }
  }

  end(): void {
    this.#goOn(new Uint8Array(0), 0, 0, true)
  }

  /** Adds to what has begun, and ends it. */
  #goOn(bytes: Uint8Array, start: number, end: number, isWhole: boolean): void {
    const carry = this.#carry
    const isTooLong = carry.size + end - start > lineBytesMax + 1
    if (!this.#skipping && (isTooLong || !carry.keep(bytes, start, end))) {
      this.malformed++
      this.#skipping = true
      carry.letGo()
    }
    if (!isWhole) return
    if (this.#skipping) this.ended++
    else this.#line(carry.bytes, 0, carry.size)
    this.#skipping = false
    carry.letGo()
  }

  #line(bytes: Uint8Array, start: number, newlineAt: number): void {
    this.ended++
    const end = bytes[newlineAt - 1] === carriageReturn ? newlineAt - 1 : newlineAt
    if (end - start > lineBytesMax) this.malformed++
    else if (end > start) this.#visit(bytes, start, end)
  }
}
