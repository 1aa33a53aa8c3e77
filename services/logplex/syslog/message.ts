import { findBlank, viewOf } from '../bytes.ts'

/**
 * Positions in `<PRI>VERSION TIME HOST APP-NAME PROCID MSGID [SD] [MSG]`: RFC 5424, and what
 * Logplex's senders make of it, who often leave the structured data out. Fields are copied, never
 * understood; HOST, MSGID and structured data are of no further use.
 */
export type SyslogMessage = {
  /** The number between `<` and `>`, which stand beside it. */
  priStart: number
  priEnd: number
  timeStart: number
  timeEnd: number
  /** APP-NAME: where Logplex's senders put their token. */
  appStart: number
  appEnd: number
  procStart: number
  procEnd: number
  /** MSG runs from here to `end`; it may be empty. */
  msgStart: number
  end: number
}

const space = 0x20
const dash = 0x2d
const quote = 0x22
const equals = 0x3d
const at = 0x40
const openBracket = 0x5b
const backslash = 0x5c
const closeBracket = 0x5d
const del = 0x7f

/** Facilities up to 31 are taken, as Logplex does: 8 × 31 + 7. */
const priMax = 255
const versionDigitsMax = 3
/** TIME and PROCID are kept with every line: RFC 5424 gives PROCID 128. */
export const fieldBytesMax = 255

/** A message to be filled again and again by readMessage. */
export function blankMessage(): SyslogMessage {
  return {
    priStart: 0,
    priEnd: 0,
    timeStart: 0,
    timeEnd: 0,
    appStart: 0,
    appEnd: 0,
    procStart: 0,
    procEnd: 0,
    msgStart: 0,
    end: 0,
  }
}

/** Fills `message` from the frame bytes[start..end); false when it is no syslog message. */
export function readMessage(
  bytes: Uint8Array,
  start: number,
  end: number,
  message: SyslogMessage,
): boolean {
  const version = readPri(bytes, start, end, message)
  if (version < 0) return false
  const view = viewOf(bytes)
  const versionEnd = fieldEnd(view, version, end)
  if (versionEnd < 0 || !isNumber(bytes, version, versionEnd)) return false
  message.timeStart = fieldStart(bytes, versionEnd, end)
  message.timeEnd = fieldEnd(view, message.timeStart, end)
  if (message.timeEnd < 0 || message.timeEnd - message.timeStart > fieldBytesMax) return false
  const hostStart = fieldStart(bytes, message.timeEnd, end)
  const hostEnd = fieldEnd(view, hostStart, end)
  if (hostEnd < 0) return false
  message.appStart = fieldStart(bytes, hostEnd, end)
  message.appEnd = fieldEnd(view, message.appStart, end)
  if (message.appEnd < 0) return false
  message.procStart = fieldStart(bytes, message.appEnd, end)
  message.procEnd = fieldEnd(view, message.procStart, end)
  if (message.procEnd < 0 || message.procEnd - message.procStart > fieldBytesMax) return false
  const msgidStart = fieldStart(bytes, message.procEnd, end)
  const msgidEnd = fieldEnd(view, msgidStart, end)
  if (msgidEnd < 0) return false
  message.msgStart = afterStructuredData(bytes, msgidEnd, end)
  message.end = end
  return true
}

/** Position after `<PRI>`, or -1. */
function readPri(bytes: Uint8Array, start: number, end: number, message: SyslogMessage): number {
  if (bytes[start] !== 0x3c) return -1
  let value = 0
  let position = start + 1
  for (; position < end && bytes[position] !== 0x3e; position++) {
    const digit = (bytes[position] ?? 0) - 0x30
    if (digit < 0 || digit > 9 || position > start + 3) return -1
    value = value * 10 + digit
  }
  if (position === start + 1 || position >= end || value > priMax) return -1
  message.priStart = start + 1
  message.priEnd = position
  return position + 1
}

/** Where the next field begins: senders may put several spaces between two. */
function fieldStart(bytes: Uint8Array, from: number, end: number): number {
  let position = from
  while (position < end && bytes[position] === space) position++
  return position
}

/**
 * Where the field that begins at `from` ends: at a space or at the frame's end; -1 when it is empty
 * or holds a control character, with which a line could pass for two.
 */
function fieldEnd(view: DataView, from: number, end: number): number {
  const position = findBlank(view, from, end)
  if (position < end && view.getUint8(position) !== space) return -1
  return position > from ? position : -1
}

function isNumber(bytes: Uint8Array, from: number, until: number): boolean {
  if (until - from > versionDigitsMax) return false
  for (let position = from; position < until; position++) {
    const byte = bytes[position] ?? 0
    if (byte < 0x30 || byte > 0x39) return false
  }
  return true
}

/** Where MSG begins, given the end of MSGID: after `-` or `[…]…` when there is either. */
function afterStructuredData(bytes: Uint8Array, msgidEnd: number, end: number): number {
  if (msgidEnd >= end) return end
  const start = msgidEnd + 1
  if (start >= end) return end
  if (bytes[start] === dash) return afterSpace(bytes, start + 1, end) ?? start
  let position = start
  while (position < end && bytes[position] === openBracket) {
    const next = elementEnd(bytes, position, end)
    // Not structured data after all: the sender left it out and the text begins with a bracket.
    if (next < 0) return start
    position = next
  }
  return position === start ? start : (afterSpace(bytes, position, end) ?? start)
}

/** Structured data is followed by a space or by nothing. */
function afterSpace(bytes: Uint8Array, position: number, end: number): number | undefined {
  if (position >= end) return end
  return bytes[position] === space ? position + 1 : undefined
}

/**
 * Position after the element `[ID PARAM="value" …]`, or -1. An element without parameters counts
 * only with an enterprise number in its id (`[x@32473]`): `[web] GET /` is how text may begin.
 */
function elementEnd(bytes: Uint8Array, start: number, end: number): number {
  let numbered = false
  let position = start + 1
  for (; position < end; position++) {
    const byte = bytes[position] ?? 0
    if (byte === space || byte === closeBracket) break
    if (byte <= space || byte === equals || byte === quote || byte >= del) return -1
    if (byte === at) numbered = true
  }
  if (position === start + 1 || position >= end) return -1
  if (bytes[position] === closeBracket) return numbered ? position + 1 : -1
  while (position < end && bytes[position] === space) {
    position = parameterEnd(bytes, position + 1, end)
    if (position < 0) return -1
  }
  return position < end && bytes[position] === closeBracket ? position + 1 : -1
}

/** Position after `NAME="value"`, in which a backslash takes the next byte along; or -1. */
function parameterEnd(bytes: Uint8Array, start: number, end: number): number {
  let position = start
  for (; position < end && bytes[position] !== equals; position++) {
    const byte = bytes[position] ?? 0
    if (byte <= space || byte === quote || byte === closeBracket || byte >= del) return -1
  }
  if (position === start || bytes[position + 1] !== quote) return -1
  for (position += 2; position < end; position++) {
    if (bytes[position] === backslash) position++
    else if (bytes[position] === quote) return position + 1
  }
  return -1
}
