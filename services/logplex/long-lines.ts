import { crc32 } from 'node:zlib'
import { messageBytesMax } from './limits.ts'

// A message of more than 10,000 bytes becomes several lines with the same header, cut between two
// characters, as Heroku's shippers do it. Each ends in a mark, ` part=<n>/<of> of=<crc32 of the
// whole>`: a reader that knows it joins n … of with the same header and checksum, and sees by the
// checksum that it has the message as it was; to others it is one more key=value
// (docs/decisions/0005).

const newline = 0x0a
/** ` part=999/999 of=01234567` */
const markBytesMax = 25
const pieceBytesMax = messageBytesMax - markBytesMax

/** Whether the message bytes[start..end) is to be split: a newline at its end does not count. */
export function isTooLong(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start <= messageBytesMax) return false
  return textEnd(bytes, start, end) - start > messageBytesMax
}

/**
 * Calls `visit` for each piece of a message that is too long: bytes[start..end) and the mark that
 * is to follow it; the last one's is followed by the message's newline, if it has one.
 */
export function forEachPiece(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: (start: number, end: number, mark: Buffer) => void,
): void {
  const last = textEnd(bytes, start, end)
  const sum = crc32(bytes.subarray(start, last)).toString(16).padStart(8, '0')
  let pieces = 0
  for (let from = start; from < last; from = pieceEnd(bytes, from, last)) pieces++
  let from = start
  for (let piece = 1; piece <= pieces; piece++) {
    const to = pieceEnd(bytes, from, last)
    const ending = to === last && last < end ? '\n' : ''
    visit(from, to, Buffer.from(` part=${piece}/${pieces} of=${sum}${ending}`))
    from = to
  }
}

function textEnd(bytes: Uint8Array, start: number, end: number): number {
  return end > start && bytes[end - 1] === newline ? end - 1 : end
}

/** Not within a character of UTF-8; within anywhere of what is none. */
function pieceEnd(bytes: Uint8Array, from: number, last: number): number {
  const furthest = from + pieceBytesMax
  if (furthest >= last) return last
  let end = furthest
  while (end > furthest - 4 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return ((bytes[end] ?? 0) & 0xc0) === 0x80 ? furthest : end
}
