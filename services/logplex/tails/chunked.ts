import { writeTextLine, type TailFormat } from './tail-format.ts'

const nul = Buffer.from([0])

/**
 * Plain text in HTTP chunks, for older clients and for curl: a line of the log is a line of text.
 * It has no place for numbers, so it is resumed with `?after=` only by who knows one; its heartbeat
 * is a NUL byte, as at Heroku.
 */
export const chunked: TailFormat = {
  name: 'chunked',
  greeting: () => undefined,
  writeStart: () => {},
  writeLine: (writer, _number, frames, line) => writeTextLine(writer, frames, line),
  notice: (_last, text) => Buffer.from(`${text}\n`),
  unavailable: (text) => Buffer.from(`${text}\n`),
  heartbeat: () => nul,
}
