import { writeJsonLine } from '../json-line.ts'
import { writeTextLine, type TailFormat } from './tail-format.ts'

/**
 * WebSocket: every message is text, `NUMBER\nLINE\nLINE\n…`. The lines are those of chunked text,
 * each ended by a newline; NUMBER is that of the newest line of the log that the client has now
 * seen or that its filters left out. A client that comes back opens the session's url with
 * `?after=NUMBER` of the last message it took whole, and continues without a gap or a repeat.
 * A message with a number and no lines is a heartbeat. The server takes no messages; it closes
 * with 1000 when all is said (no tail) and with 1001 when the stream has lived long enough, the
 * process stops or the log cannot be read: resume then. An unknown, expired or revoked session is
 * HTTP 404 in the place of the upgrade.
 */
export const websocketText: TailFormat = {
  name: 'websocket',
  greeting: () => undefined,
  writeStart: (writer, last) => {
    writer.number(last)
    writer.byte(0x0a)
  },
  writeLine: (writer, _number, frames, line) => writeTextLine(writer, frames, line),
  notice: (last, text) => Buffer.from(`${last}\n${text}\n`),
  unavailable: () => undefined,
  heartbeat: (last) => Buffer.from(`${last}\n`),
}

/**
 * The same for `?format=json`: each LINE is an object with the line's own `number`, its `time`,
 * `source`, `dyno` and `message`, newlines and all. What the plexer says itself has the number of
 * the lines in whose place it stands.
 */
export const websocketJson: TailFormat = {
  ...websocketText,
  name: 'websocket-json',
  writeLine: writeJsonLine,
  notice: (last, text) => {
    const [, time, source, dyno, message] = /^(\S+) (\S+)\[(\S+)\]: (.*)$/s.exec(text) ?? []
    return Buffer.from(
      `${last}\n${JSON.stringify({ number: last, time, source, dyno, message })}\n`,
    )
  },
}
