import type { LogChunk } from '../app-log/app-log.ts'
import type { StoredLine } from '../app-log/stored-line.ts'
import type { LogSession } from '../log-session.ts'
import type { MessageTest } from './pattern.ts'

/** Which lines a tail shows. `key` is the same for filters that let the same lines pass. */
export type LineFilter = {
  key: string
  source: Uint8Array | undefined
  dyno: Uint8Array | undefined
  text: Uint8Array | undefined
  pattern: MessageTest | undefined
}

export type FilterWish = Pick<LogSession, 'source' | 'dyno' | 'match' | 'pattern'>

const dot = 0x2e
const newline = 0x0a
const carriageReturn = 0x0d

/**
 * `source` is matched exactly, `dyno` exactly ("web.1") or by type ("web"), `match` and `pattern`
 * anywhere in the message; what is empty lets all pass.
 */
export function lineFilter(
  { source, dyno, match, pattern }: FilterWish,
  testOf: (pattern: string) => MessageTest,
): LineFilter {
  return {
    key: JSON.stringify([source, dyno, match, pattern]),
    source: source === '' ? undefined : Buffer.from(source),
    dyno: dyno === '' ? undefined : Buffer.from(dyno),
    text: match === '' ? undefined : Buffer.from(match),
    pattern: pattern === '' ? undefined : testOf(pattern),
  }
}

export function letsAllPass({ source, dyno, text, pattern }: LineFilter): boolean {
  return !source && !dyno && !text && !pattern
}

/** Says of the chunk's lines, asked in their order, whether they pass. */
export function chunkFilter(
  { source, dyno, text, pattern }: LineFilter,
  { frames }: LogChunk,
): (line: StoredLine) => boolean {
  const holdsText = text && textFinder(frames, text)
  return (line) => {
    if (source && !isSource(frames, line, source)) return false
    if (dyno && !isDyno(frames, line, dyno)) return false
    if (holdsText && !holdsText(line)) return false
    return !pattern || pattern(frames.subarray(line.msgStart, endOfText(frames, line)))
  }
}

function isSource(frames: Uint8Array, line: StoredLine, source: Uint8Array): boolean {
  if (line.sourceEnd - line.sourceStart !== source.length) return false
  return startsWith(frames, line.sourceStart, source)
}

function isDyno(frames: Uint8Array, line: StoredLine, dyno: Uint8Array): boolean {
  const length = line.procEnd - line.procStart
  if (length < dyno.length) return false
  if (length > dyno.length && frames[line.procStart + dyno.length] !== dot) return false
  return startsWith(frames, line.procStart, dyno)
}

function startsWith(bytes: Uint8Array, at: number, prefix: Uint8Array): boolean {
  for (let i = 0; i < prefix.length; i++) if (bytes[at + i] !== prefix[i]) return false
  return true
}

/** One native search goes through the whole chunk: lines only look where it has come to. */
function textFinder(frames: Uint8Array, text: Uint8Array): (line: StoredLine) => boolean {
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

/** Where the message ends without its end of line, so that `$` is what one expects. */
function endOfText(frames: Uint8Array, line: StoredLine): number {
  let { end } = line
  if (end > line.msgStart && frames[end - 1] === newline) end--
  if (end > line.msgStart && frames[end - 1] === carriageReturn) end--
  return end
}
