import type { StoredLine } from './app-log/stored-line.ts'
import { startsAt } from './bytes.ts'

const dot = 0x2e

export function isSource(frames: Uint8Array, line: StoredLine, source: Uint8Array): boolean {
  if (line.sourceEnd - line.sourceStart !== source.length) return false
  return startsAt(frames, line.sourceStart, source)
}

/** Exactly that process ("web.1"), or any of that type ("web"). */
export function isDyno(frames: Uint8Array, line: StoredLine, dyno: Uint8Array): boolean {
  const length = line.procEnd - line.procStart
  if (length < dyno.length) return false
  if (length > dyno.length && frames[line.procStart + dyno.length] !== dot) return false
  return startsAt(frames, line.procStart, dyno)
}

/**
 * Says of a chunk's lines, asked in their order, whether their messages hold the text. One native
 * search goes through the whole chunk: lines only look where it has come to.
 */
export function textFinder(frames: Uint8Array, text: Uint8Array): (line: StoredLine) => boolean {
  const bytes = Buffer.from(frames.buffer, frames.byteOffset, frames.length)
  let found = -1
  return (line) => {
    if (found < line.msgStart) {
      found = bytes.indexOf(text, line.msgStart)
      if (found < 0) found = Infinity
    }
    return found + text.length <= line.end
  }
}
