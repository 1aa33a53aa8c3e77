import { copyBytes } from '../bytes.ts'

const space = 0x20
const colon = 0x3a
const dot = 0x2e
const dash = 0x2d
const star = 0x2a

const names = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const monthCodes = names.map((name) => codeAt(Buffer.from(name), 0))
const monthDays = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
/** Days of a month and of a year, in a count that gives 31 to every month. */
const monthCount = 31
const yearCount = 12 * monthCount
const fractionDigitsMax = 6
/** Longest time of RFC 3339 that is copied. */
const rfc3339BytesMax = 40
const minuteMs = 60_000

/**
 * Times of RFC 3164, `Nov 21 09:00:00`, also with a year behind the day or a fraction, or already
 * in RFC 3339. They say neither year nor zone: the year is the latest that does not bring them more
 * than a month ahead of now, the zone is what the listener's senders are said to be in.
 */
export class BsdTime {
  readonly #zone: Uint8Array
  readonly #clock: () => number
  #minute = -1
  #thisYear = 0
  #today = 0
  // What was read last.
  #bytes: Uint8Array = new Uint8Array(0)
  #start = 0
  #end = 0
  #year = -1
  #month = 0
  #day = 0
  #timeOfDay = 0

  /** @param zone an offset such as "+02:00". @param clock ms since 1970. */
  constructor(zone: string, clock: () => number = Date.now) {
    this.#zone = Buffer.from(zone)
    this.#clock = clock
  }

  /**
   * Reads the time that begins at `from`; gives the position after it, or -1 when there is none.
   */
  read(bytes: Uint8Array, from: number, end: number): number {
    this.#bytes = bytes
    this.#start = from
    if (isRfc3339(bytes, from, end)) {
      this.#year = -1
      this.#end = from
      while (this.#end < end && isOfTime(bytes[this.#end] ?? 0)) this.#end++
      const isWord = this.#end >= end || bytes[this.#end] === space
      return isWord && this.#end - from <= rfc3339BytesMax ? this.#end : -1
    }
    // Cisco's mark of a clock that is not set, or not in step.
    const start = bytes[from] === star || bytes[from] === dot ? from + 1 : from
    return this.#readBsd(bytes, start, end)
  }

  /** Writes what was read last in RFC 3339 to target[at..) and gives the position after it. */
  write(target: Uint8Array, at: number): number {
    if (this.#year < 0) return copyBytes(target, at, this.#bytes, this.#start, this.#end)
    let to = writeDigits(target, at, this.#year, 4)
    target[to++] = dash
    to = writeDigits(target, to, this.#month + 1, 2)
    target[to++] = dash
    to = writeDigits(target, to, this.#day, 2)
    target[to++] = 0x54
    to = copyBytes(target, to, this.#bytes, this.#timeOfDay, this.#end)
    return copyBytes(target, to, this.#zone, 0, this.#zone.length)
  }

  #readBsd(bytes: Uint8Array, start: number, end: number): number {
    if (end - start < 14) return -1
    this.#month = monthCodes.indexOf(codeAt(bytes, start))
    if (this.#month < 0 || bytes[start + 3] !== space) return -1
    // The day may have a space or a zero in front, or nothing.
    let at = bytes[start + 4] === space ? start + 5 : start + 4
    const dayEnd = digitsEnd(bytes, at, Math.min(at + 2, end))
    this.#day = number(bytes, at, dayEnd)
    if (dayEnd === at || this.#day < 1 || this.#day > (monthDays[this.#month] ?? 0)) return -1
    if (bytes[dayEnd] !== space) return -1
    at = dayEnd + 1
    const yearEnd = digitsEnd(bytes, at, end)
    const hasYear = yearEnd - at === 4 && bytes[yearEnd] === space
    this.#year = hasYear ? number(bytes, at, yearEnd) : this.#likelyYear()
    if (hasYear) at = yearEnd + 1
    if (this.#month === 1 && this.#day === 29 && !isLeap(this.#year)) return -1
    if (!isTimeOfDay(bytes, at, end)) return -1
    this.#timeOfDay = at
    this.#end = at + 8
    if (bytes[this.#end] === dot) {
      const fraction = this.#end + 1
      const fractionEnd = digitsEnd(bytes, fraction, Math.min(fraction + fractionDigitsMax, end))
      if (fractionEnd > fraction) this.#end = fractionEnd
    }
    if (this.#end > end) return -1
    // Cisco ends it with a colon.
    const after = bytes[this.#end] === colon ? this.#end + 1 : this.#end
    return after >= end || bytes[after] === space ? Math.min(after, end) : -1
  }

  #likelyYear(): number {
    const now = this.#clock()
    const minute = Math.floor(now / minuteMs)
    if (minute !== this.#minute) {
      const date = new Date(now)
      this.#minute = minute
      this.#thisYear = date.getUTCFullYear()
      this.#today = date.getUTCMonth() * monthCount + date.getUTCDate()
    }
    const ahead = this.#month * monthCount + this.#day - this.#today
    if (ahead > monthCount) return this.#thisYear - 1
    return ahead + yearCount <= monthCount ? this.#thisYear + 1 : this.#thisYear
  }
}

/** Three letters as one number, in the case that they are in. */
function codeAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
}

/** True for `YYYY-MM-DDThh:mm:ss` and whatever follows it. */
function isRfc3339(bytes: Uint8Array, at: number, end: number): boolean {
  return (
    end - at >= 20 &&
    digitsEnd(bytes, at, end) === at + 4 &&
    bytes[at + 4] === dash &&
    digitsEnd(bytes, at + 5, end) === at + 7 &&
    bytes[at + 7] === dash &&
    digitsEnd(bytes, at + 8, end) === at + 10 &&
    bytes[at + 10] === 0x54 &&
    isTimeOfDay(bytes, at + 11, end)
  )
}

/** Digits, `+`, `-`, `.`, `:`, `T` and `Z`. */
function isOfTime(byte: number): boolean {
  if (byte >= 0x30 && byte <= colon) return true
  return byte === 0x2b || byte === dash || byte === dot || byte === 0x54 || byte === 0x5a
}

/** True for `hh:mm:ss`. */
function isTimeOfDay(bytes: Uint8Array, at: number, end: number): boolean {
  return (
    at + 8 <= end &&
    digitsEnd(bytes, at, end) === at + 2 &&
    number(bytes, at, at + 2) <= 23 &&
    bytes[at + 2] === colon &&
    digitsEnd(bytes, at + 3, end) === at + 5 &&
    number(bytes, at + 3, at + 5) <= 59 &&
    bytes[at + 5] === colon &&
    digitsEnd(bytes, at + 6, end) === at + 8 &&
    number(bytes, at + 6, at + 8) <= 60
  )
}

function digitsEnd(bytes: Uint8Array, from: number, end: number): number {
  let position = from
  for (; position < end; position++) {
    const byte = bytes[position] ?? 0
    if (byte < 0x30 || byte > 0x39) break
  }
  return position
}

function number(bytes: Uint8Array, from: number, until: number): number {
  let value = 0
  for (let at = from; at < until; at++) value = value * 10 + (bytes[at] ?? 0) - 0x30
  return value
}

/** Writes the last `digits` decimal digits of a number. */
function writeDigits(target: Uint8Array, at: number, value: number, digits: number): number {
  let rest = value
  for (let to = at + digits - 1; to >= at; to--) {
    target[to] = 0x30 + (rest % 10)
    rest = Math.floor(rest / 10)
  }
  return at + digits
}

const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
