import type { ByteWriter } from './byte-writer.ts'

/** U+FFFD, which stands for a byte that is part of no character. */
const replacement = Buffer.from('\ufffd')

/**
 * Bytes of the character of UTF-8 that begins at `at`; 0 when none does: a stray or missing byte, a
 * longer form than need be, a surrogate, or beyond U+10FFFF (Unicode, table 3-7).
 */
export function characterLength(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at] ?? 0
  if (first < 0x80) return 1
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0
  if (length === 0 || at + length > end) return 0
  const second = bytes[at + 1] ?? 0
  const lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
  const highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
  if (second < lowest || second > highest) return 0
  for (let next = at + 2; next < at + length; next++)
    if (((bytes[next] ?? 0) & 0xc0) !== 0x80) return 0
  return length
}

export function writeReplacement(writer: ByteWriter): void {
  writer.copy(replacement)
}

/** How many bytes writeUtf8 writes. */
export function utf8Size(bytes: Uint8Array, start: number, end: number): number {
  let size = end - start
  for (let at = start; at < end;) {
    // Nearly all are ASCII, and a call for each would be most of the work.
    if ((bytes[at] ?? 0) < 0x80) {
      at++
      continue
    }
    const length = characterLength(bytes, at, end)
    if (length === 0) size += replacement.length - 1
    at += length || 1
  }
  return size
}

/** The bytes as UTF-8: each one that is part of no character is replaced. */
export function writeUtf8(writer: ByteWriter, bytes: Uint8Array, start: number, end: number): void {
  let from = start
  for (let at = start; at < end;) {
    const length = characterLength(bytes, at, end)
    if (length === 0) {
      writer.copy(bytes, from, at)
      writeReplacement(writer)
      from = at + 1
    }
    at += length || 1
  }
  writer.copy(bytes, from, end)
}
