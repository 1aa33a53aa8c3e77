import type { ByteWriter } from './byte-writer.ts'

const zero = 0x30
const secondsEnd = 19
const form = Buffer.from('dddd-dd-ddTdd:dd:dd')
const digit = 0x64
const zeros = Buffer.from('000000')
const utc = Buffer.from('+00:00')

/**
 * Writes a line's TIME the way tails show it: `2026-11-20T10:11:12.123456+00:00`, microseconds and
 * UTC. What is not an RFC 3339 time is written as it was sent.
 */
export function writeLineTime(
  writer: ByteWriter,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const fractionEnd = endOfFraction(bytes, start, end)
  if (fractionEnd === undefined) return writer.copy(bytes, start, end)
  const offsetMinutes = readOffset(bytes, fractionEnd, end)
  if (offsetMinutes === undefined) return writer.copy(bytes, start, end)
  // Already in the form of tails: what log-shuttle and the platform itself send.
  if (end - start === 32 && fractionEnd - start === 26 && endsInZero(bytes, end))
    return writer.copy(bytes, start, end)
  if (offsetMinutes === 0) writer.copy(bytes, start, start + secondsEnd)
  else {
    const shifted = shift(bytes, start, offsetMinutes)
    if (shifted === undefined) return writer.copy(bytes, start, end)
    writer.copy(shifted)
  }
  writer.byte(0x2e)
  const digits = Math.max(0, Math.min(6, fractionEnd - start - secondsEnd - 1))
  writer.copy(bytes, start + secondsEnd + 1, start + secondsEnd + 1 + digits)
  writer.copy(zeros, digits)
  writer.copy(utc)
}

/** A line's TIME in ms since the epoch, to the microsecond; NaN when it is no RFC 3339 time. */
export function readLineTime(bytes: Uint8Array, start: number, end: number): number {
  const fractionEnd = endOfFraction(bytes, start, end)
  if (fractionEnd === undefined) return NaN
  const offsetMinutes = readOffset(bytes, fractionEnd, end)
  if (offsetMinutes === undefined) return NaN
  const year = twoDigits(bytes, start) * 100 + twoDigits(bytes, start + 2)
  const month = twoDigits(bytes, start + 5)
  const day = twoDigits(bytes, start + 8)
  const hour = twoDigits(bytes, start + 11)
  const minute = twoDigits(bytes, start + 14)
  const second = twoDigits(bytes, start + 17)
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return NaN
  if (hour > 23 || minute > 59 || second > 60) return NaN
  let micros = 0
  for (let digit = 0, at = start + secondsEnd + 1; digit < 6; digit++, at++)
    micros = micros * 10 + (at < fractionEnd ? (bytes[at] ?? zero) - zero : 0)
  // 400 years later: Date.UTC takes years before 100 for those of the last century.
  const later = Date.UTC(year + 400, month - 1, day, hour, minute - offsetMinutes, second)
  const ms = later - fourHundredYearsMs
  return isInYears(ms) ? ms + micros / 1_000 : NaN
}

const fourHundredYearsMs = 146_097 * 86_400_000
const firstMs = Date.UTC(400, 0, 1) - fourHundredYearsMs
const endMs = Date.UTC(10_000, 0, 1)

/** RFC 3339 has the years 0000 to 9999, in UTC as well. */
const isInYears = (ms: number): boolean => ms >= firstMs && ms < endMs

function daysIn(year: number, month: number): number {
  if (month !== 2) return 30 + ((month + (month >> 3)) % 2)
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
}

/** True when the offset is written `+00:00`. */
function endsInZero(bytes: Uint8Array, end: number): boolean {
  for (let i = 0; i < utc.length; i++) if (bytes[end - utc.length + i] !== utc[i]) return false
  return true
}

const isDigit = (byte: number | undefined): boolean =>
  byte !== undefined && byte >= zero && byte <= zero + 9

/** Where the offset begins, when date, time and fraction have the right form. */
function endOfFraction(bytes: Uint8Array, start: number, end: number): number | undefined {
  if (end - start <= secondsEnd) return undefined
  for (let i = 0; i < secondsEnd; i++) {
    const byte = bytes[start + i] ?? 0
    const wanted = form[i]
    if (wanted === digit ? byte < zero || byte > zero + 9 : byte !== wanted) return undefined
  }
  let at = start + secondsEnd
  if (bytes[at] !== 0x2e) return at
  const fractionStart = ++at
  while (at < end && isDigit(bytes[at])) at++
  return at > fractionStart ? at : undefined
}

/** Minutes east of UTC of "Z" or "+hh:mm" that ends at `end`. */
function readOffset(bytes: Uint8Array, at: number, end: number): number | undefined {
  if (end - at === 1 && (bytes[at] === 0x5a || bytes[at] === 0x7a)) return 0
  const sign = bytes[at] === 0x2b ? 1 : bytes[at] === 0x2d ? -1 : 0
  if (sign === 0 || end - at !== 6 || bytes[at + 3] !== 0x3a) return undefined
  if (!isDigit(bytes[at + 1]) || !isDigit(bytes[at + 2])) return undefined
  if (!isDigit(bytes[at + 4]) || !isDigit(bytes[at + 5])) return undefined
  const hours = twoDigits(bytes, at + 1)
  const minutes = twoDigits(bytes, at + 4)
  return hours > 23 || minutes > 59 ? undefined : sign * (hours * 60 + minutes)
}

const twoDigits = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] ?? 0) - zero) * 10 + ((bytes[at + 1] ?? 0) - zero)

/** `YYYY-MM-DDThh:mm:ss` in UTC. Rare: the platform and its shippers write UTC. */
function shift(bytes: Uint8Array, start: number, offsetMinutes: number): Buffer | undefined {
  const local = Date.parse(`${Buffer.from(bytes.subarray(start, start + secondsEnd)).toString()}Z`)
  if (Number.isNaN(local)) return undefined
  const ms = local - offsetMinutes * 60_000
  return isInYears(ms) ? Buffer.from(new Date(ms).toISOString().slice(0, secondsEnd)) : undefined
}
