import { ByteWriter } from '../byte-writer.ts'
import { utf8Size, writeUtf8 } from '../utf8.ts'

// Protobuf's wire format, written by position: a field is its tag, for what has a length that, and
// its bytes. Sizes come first, so nothing is written twice or moved.

/** A field that holds text, bytes or a message … */
const lengthDelimited = 2
/** … 64 bits, lowest byte first, or a number of as many bytes as it takes. */
const fixed64 = 1
const varint = 0

const twoTo32 = 2 ** 32

/** Bytes of a whole number >= 0, a tag or a length. */
export function varintSize(value: number): number {
  let size = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++
  return size
}

function writeVarint(writer: ByteWriter, value: number): void {
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) writer.byte((rest % 0x80) | 0x80)
  writer.byte(rest)
}

/** Bytes of a field that holds so many of text, bytes or a message; all tags here are one byte. */
export const fieldSize = (size: number): number => 1 + varintSize(size) + size

/** What stands in front of a field's `size` bytes. */
export function writeFieldHead(writer: ByteWriter, field: number, size: number): void {
  writer.byte((field << 3) | lengthDelimited)
  writeVarint(writer, size)
}

/** Of a text field with these bytes, made UTF-8: other text makes decoders refuse a message. */
export const textFieldSize = (bytes: Uint8Array, start: number, end: number): number =>
  fieldSize(utf8Size(bytes, start, end))

export function writeTextField(
  writer: ByteWriter,
  field: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const size = utf8Size(bytes, start, end)
  writeFieldHead(writer, field, size)
  if (size === end - start) writer.copy(bytes, start, end)
  else writeUtf8(writer, bytes, start, end)
}

export function writeNumberField(writer: ByteWriter, field: number, value: number): void {
  writer.byte((field << 3) | varint)
  writeVarint(writer, value)
}

/** Of writeNanosField. */
export const nanosFieldSize = 9

/** A time in ns since the epoch, of whole microseconds >= 0: more than a number holds exactly. */
export function writeNanosField(writer: ByteWriter, field: number, micros: number): void {
  writer.byte((field << 3) | fixed64)
  const low = (micros % twoTo32) * 1_000
  const high = Math.floor(micros / twoTo32) * 1_000 + Math.floor(low / twoTo32)
  writeFixed32(writer, low % twoTo32)
  writeFixed32(writer, high)
}

function writeFixed32(writer: ByteWriter, value: number): void {
  writer.byte(value & 0xff)
  writer.byte((value >>> 8) & 0xff)
  writer.byte((value >>> 16) & 0xff)
  writer.byte(value >>> 24)
}

/** A message of text fields, numbered in their order from 1: for what is written once. */
export function textFields(...texts: string[]): Buffer {
  return Buffer.concat(texts.map((text, index) => bytesField(index + 1, Buffer.from(text))))
}

/** A field of bytes or of a message: for what is written once for a drain or a batch. */
export function bytesField(field: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([fieldHead(field, bytes.length), bytes])
}

/** What stands in front of a field's bytes when they are written elsewhere. */
export function fieldHead(field: number, size: number): Buffer {
  const writer = new ByteWriter(16)
  writeFieldHead(writer, field, size)
  return writer.finish()
}
