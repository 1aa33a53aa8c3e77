import type { StoredLine } from '../app-log/stored-line.ts'
import type { ByteWriter } from '../byte-writer.ts'
import { writeLineTime } from '../line-time.ts'

/** How lines look on one kind of tail: sse.ts, websocket.ts, chunked.ts. */
export type TailFormat = {
  name: 'sse' | 'websocket' | 'websocket-json' | 'chunked'
  /** Written once at the start of a stream, if anything. */
  greeting: (tail: boolean) => Buffer | undefined
  /** Written in front of a batch whose newest line, shown or not, is number `last`. */
  writeStart: (writer: ByteWriter, last: number) => void
  writeLine: (writer: ByteWriter, number: number, frames: Uint8Array, line: StoredLine) => void
  /** A line of the plexer's own, in the place of the lines up to number `last`. */
  notice: (last: number, text: string) => Buffer
  /** A line that says that the log cannot be read; the stream ends after it. */
  unavailable: (text: string) => Buffer | undefined
  /** Keeps the stream alive and says that the reader has seen all up to number `last`. */
  heartbeat: (last: number) => Buffer
}

const newline = 0x0a
const carriageReturn = 0x0d

/** `TIME SOURCE[PROC]: `, what every line of a tail begins with. */
export function writeLineHead(writer: ByteWriter, frames: Uint8Array, line: StoredLine): void {
  writeLineTime(writer, frames, line.timeStart, line.timeEnd)
  writer.byte(0x20)
  writer.copy(frames, line.sourceStart, line.sourceEnd)
  writer.byte(0x5b)
  writer.copy(frames, line.procStart, line.procEnd)
  writer.byte(0x5d)
  writer.byte(0x3a)
  writer.byte(0x20)
}

/** The line as text that ends with a newline; newlines within its message stay. */
export function writeTextLine(writer: ByteWriter, frames: Uint8Array, line: StoredLine): void {
  writeLineHead(writer, frames, line)
  writer.copy(frames, line.msgStart, line.end)
  if (line.msgStart === line.end || frames[line.end - 1] !== newline) writer.byte(newline)
}

/**
 * Calls `visit` for each line of a message, ends of line (CR, LF or both) left out; the last one
 * ends nothing, so "a\n" is one line, and an empty message is one empty line.
 */
export function forEachMessageLine(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: (start: number, end: number) => void,
): void {
  let from = start
  for (let at = start; at < end; at++) {
    if (bytes[at] !== newline && bytes[at] !== carriageReturn) continue
    visit(from, at)
    if (bytes[at] === carriageReturn && at + 1 < end && bytes[at + 1] === newline) at++
    from = at + 1
  }
  if (from < end || start === end) visit(from, end)
}
