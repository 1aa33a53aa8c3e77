import { endOfText, type StoredLine } from './app-log/stored-line.ts'
import type { ByteWriter } from './byte-writer.ts'
import { readLineTime, writeLineTime } from './line-time.ts'
import { characterLength, writeReplacement } from './utf8.ts'

const numberKey = Buffer.from('{"number":')
const timeKey = Buffer.from(',"time":')
const sourceKey = Buffer.from(',"source":')
const dynoKey = Buffer.from(',"dyno":')
const messageKey = Buffer.from(',"message":')
const escapeHead = Buffer.from('\\u00')
const hexDigits = Buffer.from('0123456789abcdef')
const quote = 0x22
const backslash = 0x5c
const space = 0x20

/**
 * The line as a JSON object and a newline; the end of line of its message is left out, and what is
 * no UTF-8 replaced.
 *
 * @param opening of the object, up to the number's value
 */
export function writeJsonLine(
  writer: ByteWriter,
  number: number,
  frames: Uint8Array,
  line: StoredLine,
  opening: Uint8Array = numberKey,
): void {
  writer.copy(opening)
  writer.number(number)
  writer.copy(timeKey)
  writeJsonTime(writer, frames, line)
  writer.copy(sourceKey)
  writeJsonText(writer, frames, line.sourceStart, line.sourceEnd)
  writer.copy(dynoKey)
  writeJsonText(writer, frames, line.procStart, line.procEnd)
  writer.copy(messageKey)
  writeJsonText(writer, frames, line.msgStart, endOfText(frames, line))
  writer.byte(0x7d)
  writer.byte(0x0a)
}

function writeJsonTime(
  writer: ByteWriter,
  frames: Uint8Array,
  { timeStart, timeEnd }: StoredLine,
): void {
  const isTime = !Number.isNaN(readLineTime(frames, timeStart, timeEnd))
  if (!isTime) return writeJsonText(writer, frames, timeStart, timeEnd)
  writer.byte(quote)
  writeLineTime(writer, frames, timeStart, timeEnd)
  writer.byte(quote)
}

/** Bytes as a JSON string: JSON is UTF-8, and a reader may refuse all of a body that is not. */
function writeJsonText(writer: ByteWriter, bytes: Uint8Array, start: number, end: number): void {
  writer.byte(quote)
  let from = start
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0
    if (byte >= 0x80) {
      const length = characterLength(bytes, at, end)
      if (length === 0) {
        writer.copy(bytes, from, at)
        writeReplacement(writer)
        from = at + 1
      } else at += length - 1
      continue
    }
    if (byte >= space && byte !== quote && byte !== backslash) continue
    writer.copy(bytes, from, at)
    from = at + 1
    if (byte >= space) {
      writer.byte(backslash)
      writer.byte(byte)
    } else {
      writer.copy(escapeHead)
      writer.byte(hexDigits[byte >> 4] ?? 0)
      writer.byte(hexDigits[byte & 15] ?? 0)
    }
  }
  writer.copy(bytes, from, end)
  writer.byte(quote)
}
