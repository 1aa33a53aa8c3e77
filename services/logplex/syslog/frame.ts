import { frameBytesMax } from '../limits.ts'
import { Carry } from './carry.ts'

// Octet counting (RFC 6587 § 3.4.1): `LEN SP frame`, LEN a decimal number of bytes without leading
// zero. Logplex takes nothing else; what is not such a frame is malformed up to its next newline.

/** Where a frame lies, without its length: filled by readFrame. */
export type FrameSpan = { start: number; end: number }

/** Nothing wrong so far, but the frame goes on beyond the given bytes. */
export const frameIncomplete = -1
export const frameMalformed = -2

const lengthDigitsMax = String(frameBytesMax).length
/** The longest a frame can be with its length and space. */
const carriedBytesMax = lengthDigitsMax + 1 + frameBytesMax
const newline = 0x0a
const carriageReturn = 0x0d
const space = 0x20

/**
 * Reads the frame that starts at `at` of bytes[..end) and gives the position after it, or
 * frameIncomplete or frameMalformed. Of an incomplete one span.end is where it will end, or 0 while
 * its length is not known.
 */
export function readFrame(bytes: Uint8Array, at: number, end: number, span: FrameSpan): number {
  span.end = 0
  let length = 0
  for (let position = at; position < end; position++) {
    const byte = bytes[position] ?? 0
    if (byte === space && position > at) {
      span.start = position + 1
      span.end = position + 1 + length
      return span.end <= end ? span.end : frameIncomplete
    }
    const digit = byte - 0x30
    if (digit < 0 || digit > 9 || (digit === 0 && position === at)) return frameMalformed
    length = length * 10 + digit
    if (length > frameBytesMax) return frameMalformed
  }
  return frameIncomplete
}

/** Takes one frame: bytes[start..end), valid only during the call. */
export type FrameVisitor = (bytes: Uint8Array, start: number, end: number) => void

/** Finds the frames of one connection, however its bytes are cut; holds at most one unfinished. */
export type Scanner = {
  /** Pieces that were no frame: each up to its newline counts once. */
  malformed: number
  /**
   * Pieces of both kinds whose end was reached: frames, and what was malformed up to its newline.
   */
  readonly ended: number
  /** True while a frame has begun that is not whole, or something malformed that has no end yet. */
  readonly partial: boolean
  push: (bytes: Uint8Array) => void
  /** The connection has ended. */
  end: () => void
}

/**
 * Octet-counted frames. After something that is no frame it goes on behind the next newline, as
 * Logplex does; a newline between two frames is let pass, and half a frame at the end is malformed.
 */
export class FrameScanner implements Scanner {
  malformed = 0
  ended = 0
  readonly #visit: FrameVisitor
  readonly #span: FrameSpan = { start: 0, end: 0 }
  readonly #carry = new Carry(carriedBytesMax)
  #skipping = false

  constructor(visit: FrameVisitor) {
    this.#visit = visit
  }

  get partial(): boolean {
    return this.#carry.size > 0 || this.#skipping
  }

  push(bytes: Uint8Array): void {
    let at = this.#carry.size > 0 ? this.#finishCarried(bytes) : 0
    while (at < bytes.length) {
      if (this.#skipping) at = this.#skip(bytes, at)
      else if (bytes[at] === newline || bytes[at] === carriageReturn) at++
      else at = this.#read(bytes, at)
    }
  }

  end(): void {
    if (this.#carry.size > 0) this.malformed++
    this.#carry.letGo()
    this.#skipping = false
  }

  #read(bytes: Uint8Array, at: number): number {
    const next = readFrame(bytes, at, bytes.length, this.#span)
    if (next === frameMalformed) return this.#startSkipping(at)
    if (next === frameIncomplete)
      return this.#carry.keep(bytes, at, bytes.length) ? bytes.length : this.#startSkipping(at)
    this.ended++
    this.#visit(bytes, this.#span.start, this.#span.end)
    return next
  }

  /** Adds to the unfinished frame what it lacks; gives the position after that. */
  #finishCarried(bytes: Uint8Array): number {
    for (let at = 0; at < bytes.length;) {
      readFrame(this.#carry.bytes, 0, this.#carry.size, this.#span)
      // Until the length is known, byte by byte: what follows may already be the next frame.
      const missing = this.#span.end > 0 ? this.#span.end - this.#carry.size : 1
      const until = Math.min(at + missing, bytes.length)
      if (!this.#carry.keep(bytes, at, until)) {
        this.#carry.letGo()
        return this.#startSkipping(at)
      }
      const next = readFrame(this.#carry.bytes, 0, this.#carry.size, this.#span)
      if (next === frameMalformed) {
        // The byte that is wrong came last; it may be the newline that ends the malformed piece.
        this.#carry.letGo()
        return this.#startSkipping(until - 1)
      }
      at = until
      if (next !== frameIncomplete) {
        this.ended++
        this.#visit(this.#carry.bytes, this.#span.start, this.#span.end)
        this.#carry.letGo()
        return at
      }
    }
    return bytes.length
  }

  #startSkipping(at: number): number {
    this.malformed++
    this.#skipping = true
    return at
  }

  #skip(bytes: Uint8Array, at: number): number {
    const found = bytes.indexOf(newline, at)
    if (found < 0) return bytes.length
    this.#skipping = false
    this.ended++
    return found + 1
  }
}
