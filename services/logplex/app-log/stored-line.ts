import { findByte, viewOf } from '../bytes.ts'

/**
 * A stored line is the frame of an https drain: `LEN <PRI>1 TIME host SOURCE PROC - MSG`, where LEN
 * counts the bytes after its space and MSG is what was sent, byte for byte. A chunk is a run of
 * such frames. Nothing here makes a string: a line is a set of positions in its chunk.
 */
export type StoredLine = {
  /** The whole frame, from its first length digit to after its last byte. */
  start: number
  end: number
  /** `<PRI>1`: where the length's space ends and the body begins. */
  bodyStart: number
  priStart: number
  priEnd: number
  timeStart: number
  timeEnd: number
  sourceStart: number
  sourceEnd: number
  procStart: number
  procEnd: number
  /** MSG runs from here to `end`; it may be empty, and may end with a newline. */
  msgStart: number
}

const space = 0x20
const newline = 0x0a
const carriageReturn = 0x0d
const closeAngle = 0x3e
/** `host ` between TIME and SOURCE. */
const hostBytes = 5
/** ` - ` between PROC and MSG. */
const separatorBytes = 3

/** A line to be filled again and again by readStoredLine. */
export function blankLine(): StoredLine {
  return {
    start: 0,
    end: 0,
    bodyStart: 0,
    priStart: 0,
    priEnd: 0,
    timeStart: 0,
    timeEnd: 0,
    sourceStart: 0,
    sourceEnd: 0,
    procStart: 0,
    procEnd: 0,
    msgStart: 0,
  }
}

/**
 * Fills `line` with the positions of the frame that starts at `at` and gives the position of the
 * next one (frames.length after the last). Throws when there is no whole frame there: chunks are
 * written by us alone, so that is damage.
 */
export function readStoredLine(frames: Uint8Array, at: number, line: StoredLine): number {
  const view = viewOf(frames)
  let length = 0
  let position = at
  for (; frames[position] !== space; position++) {
    const digit = (frames[position] ?? 0) - 0x30
    if (digit < 0 || digit > 9) throw new Error(`no stored line at byte ${at} of a chunk`)
    length = length * 10 + digit
  }
  const end = position + 1 + length
  if (length === 0 || end > frames.length)
    throw new Error(`no whole stored line at byte ${at} of a chunk`)
  line.start = at
  line.end = end
  line.bodyStart = position + 1
  line.priStart = position + 2
  line.priEnd = findByte(view, line.priStart, end, closeAngle)
  line.timeStart = line.priEnd + 3
  line.timeEnd = findByte(view, line.timeStart, end, space)
  line.sourceStart = line.timeEnd + 1 + hostBytes
  line.sourceEnd = findByte(view, line.sourceStart, end, space)
  line.procStart = line.sourceEnd + 1
  line.procEnd = findByte(view, line.procStart, end, space)
  line.msgStart = line.procEnd + separatorBytes
  if (line.msgStart > end) throw new Error(`a stored line at byte ${at} of a chunk has no header`)
  return end
}

/** Where the message ends without its end of line. */
export function endOfText(frames: Uint8Array, line: StoredLine): number {
  let { end } = line
  if (end > line.msgStart && frames[end - 1] === newline) end--
  if (end > line.msgStart && frames[end - 1] === carriageReturn) end--
  return end
}

/** Calls `visit` for each line of a chunk, oldest first, with the same object each time. */
export function forEachLine(
  frames: Uint8Array,
  visit: (line: StoredLine, index: number) => void,
): void {
  const line = blankLine()
  let index = 0
  for (let at = 0; at < frames.length;) {
    at = readStoredLine(frames, at, line)
    visit(line, index++)
  }
}
