import { frameBytesMax } from '../limits.ts'
import { FrameScanner, frameIncomplete, frameMalformed, readFrame } from '../syslog/frame.ts'
import { blankMessage, readMessage, type SyslogMessage } from '../syslog/message.ts'

const noLength = `it does not begin with its length (at most ${frameBytesMax}) and a space`

// A body of POST /logs: frames one behind the other. It is read twice: once to see whether all of
// it can be accepted, then to accept it, so that a refused body leaves no line behind.

/** What a body holds, or which of its frames (counted from 1) is no message, and why. */
export type BodyCheck =
  | { ok: true; frames: number; unfinished: number }
  | { ok: false; frame: number; byte: number; reason: string }

/** Checks all frames. One that is cut off at the end is let go, as Logplex does, and told. */
export function checkBody(body: Uint8Array): BodyCheck {
  const message = blankMessage()
  const span = { start: 0, end: 0 }
  let frames = 0
  for (let at = skipNewlines(body, 0); at < body.length; at = skipNewlines(body, at)) {
    const next = readFrame(body, at, body.length, span)
    if (next === frameIncomplete) return { ok: true, frames, unfinished: 1 }
    const place = { ok: false as const, frame: frames + 1, byte: at }
    if (next === frameMalformed) return { ...place, reason: noLength }
    if (!readMessage(body, span.start, span.end, message))
      return { ...place, reason: 'it is no <PRI>VERSION TIME HOST APP-NAME PROCID MSGID … line' }
    frames++
    at = next
  }
  return { ok: true, frames, unfinished: 0 }
}

/** Calls `visit` for each message of a checked body. */
export function forEachMessage(
  body: Uint8Array,
  visit: (bytes: Uint8Array, message: SyslogMessage) => void,
): void {
  const message = blankMessage()
  const scanner = new FrameScanner((bytes, start, end) => {
    if (readMessage(bytes, start, end, message)) visit(bytes, message)
  })
  scanner.push(body)
  // Half a frame at the end is let go, and its memory.
  scanner.end()
}

function skipNewlines(body: Uint8Array, from: number): number {
  let position = from
  while (body[position] === 0x0a || body[position] === 0x0d) position++
  return position
}
