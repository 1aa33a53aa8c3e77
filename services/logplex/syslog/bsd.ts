import { copyBytes } from '../bytes.ts'
import { frameBytesMax } from '../limits.ts'
import type { BsdTime } from './bsd-time.ts'

// RFC 3164 and what is sent in its name: `<PRI>Mmm dd hh:mm:ss HOST TAG[PID]: MSG`, in which
// everything may be missing. It becomes `<PRI>1 TIME - TAG PID - - MSG`.

const space = 0x20
const colon = 0x3a
const openBracket = 0x5b
const closeBracket = 0x5d
const greater = 0x3e
const del = 0x7f

/** user.notice, of a message that does not say it itself (RFC 3164 § 4.3.3). */
const defaultPri = Buffer.from('<13>')
const version = Buffer.from('1 ')
const nilHost = Buffer.from(' - ')
const nilMsgidAndData = Buffer.from(' - - ')
const nil = Buffer.from('-')
/** What a rewritten header weighs at most beside what is copied from the message. */
const headerBytesMax = 64
const priDigitsMax = 3
const versionDigitsMax = 3
/** Programs have shorter names; a token has 38 bytes. */
const tagBytesMax = 64
const pidBytesMax = 32

/** True for `<PRI>VERSION `: what follows is RFC 5424. */
export function hasVersion(bytes: Uint8Array, start: number, end: number): boolean {
  const from = endOfPri(bytes, start, end)
  let position = from
  while (position < end && isDigit(bytes[position])) position++
  const digits = position - from
  return from > start && digits > 0 && digits <= versionDigitsMax && bytes[position] === space
}

/** Writes what is RFC 3164 as RFC 5424, into bytes of its own that are good until the next one. */
export class BsdRewriter {
  readonly bytes = new Uint8Array(frameBytesMax + headerBytesMax)
  /** Where the rewritten message ends. */
  end = 0
  readonly #time: BsdTime
  #tagEnd = 0
  #pidStart = 0
  #pidEnd = 0
  #msgStart = 0

  constructor(time: BsdTime) {
    this.#time = time
  }

  /** Rewrites bytes[start..end), which is no longer than a frame may be. HOST is left out. */
  rewrite(bytes: Uint8Array, start: number, end: number): void {
    const target = this.bytes
    const priEnd = endOfPri(bytes, start, end)
    let to =
      priEnd > start ? copyBytes(target, 0, bytes, start, priEnd) : put(target, 0, defaultPri)
    to = put(target, to, version)
    const from = afterSpaces(bytes, priEnd, end)
    const timeEnd = this.#time.read(bytes, from, end)
    to = timeEnd < 0 ? put(target, to, nil) : this.#time.write(target, to)
    to = put(target, to, nilHost)
    // What has no time has no header at all: all of it is text.
    const tag = timeEnd < 0 ? -1 : this.#findTag(bytes, afterSpaces(bytes, timeEnd, end), end)
    if (timeEnd < 0) this.#msgStart = from
    to = tag < 0 ? put(target, to, nil) : copyBytes(target, to, bytes, tag, this.#tagEnd)
    target[to++] = space
    to =
      tag < 0 || this.#pidEnd === this.#pidStart
        ? put(target, to, nil)
        : copyBytes(target, to, bytes, this.#pidStart, this.#pidEnd)
    to = put(target, to, nilMsgidAndData)
    this.end = copyBytes(target, to, bytes, this.#msgStart, end)
  }

  /**
   * Where TAG begins: behind HOST, or in its place; -1 when there is none. Notes where MSG begins.
   */
  #findTag(bytes: Uint8Array, first: number, end: number): number {
    if (this.#readTag(bytes, first, end)) return first
    const second = afterSpaces(bytes, afterWord(bytes, first, end), end)
    if (this.#readTag(bytes, second, end)) return second
    // One word alone is no host of whom nothing is said.
    this.#msgStart = second < end ? second : first
    return -1
  }

  /** Reads `TAG: MSG`, `TAG[PID]: MSG` or `TAG[PID] MSG` at `start`; false when it is none. */
  #readTag(bytes: Uint8Array, start: number, end: number): boolean {
    let position = start
    for (; position < end; position++) {
      const byte = bytes[position] ?? 0
      if (byte === openBracket || (byte === colon && isOver(bytes, position + 1, end))) break
      if (byte <= space || byte === del) return false
    }
    if (position === start || position >= end || position - start > tagBytesMax) return false
    this.#tagEnd = position
    this.#pidStart = position
    this.#pidEnd = position
    if (bytes[position] === openBracket) {
      const close = bytes.indexOf(closeBracket, position)
      if (close < 0 || close >= end || close - position > pidBytesMax) return false
      if (afterWord(bytes, position, close) < close) return false
      this.#pidStart = position + 1
      this.#pidEnd = close
      position = close + 1
      if (bytes[position] !== colon && !isOver(bytes, position, end)) return false
    }
    if (position < end && bytes[position] === colon) position++
    if (position < end && bytes[position] === space) position++
    this.#msgStart = position
    return true
  }
}

const put = (target: Uint8Array, at: number, text: Uint8Array): number =>
  copyBytes(target, at, text, 0, text.length)

/** Position after `<PRI>`, or `start` when there is none. */
function endOfPri(bytes: Uint8Array, start: number, end: number): number {
  if (bytes[start] !== 0x3c) return start
  let value = 0
  let position = start + 1
  for (; position < end && isDigit(bytes[position]); position++)
    value = value * 10 + (bytes[position] ?? 0) - 0x30
  const digits = position - start - 1
  if (digits === 0 || digits > priDigitsMax || value > 255) return start
  return position < end && bytes[position] === greater ? position + 1 : start
}

function afterSpaces(bytes: Uint8Array, from: number, end: number): number {
  let position = from
  while (position < end && bytes[position] === space) position++
  return position
}

/** Where the word that begins at `from` ends: at a space, a control character or the end. */
function afterWord(bytes: Uint8Array, from: number, end: number): number {
  let position = from
  for (; position < end; position++) {
    const byte = bytes[position] ?? 0
    if (byte <= space || byte === del) break
  }
  return position
}

const isOver = (bytes: Uint8Array, position: number, end: number): boolean =>
  position >= end || bytes[position] === space

const isDigit = (byte: number | undefined): boolean =>
  byte !== undefined && byte >= 0x30 && byte <= 0x39
