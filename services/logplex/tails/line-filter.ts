import type { LogChunk } from '../app-log/app-log.ts'
import { blankLine, endOfText, readStoredLine, type StoredLine } from '../app-log/stored-line.ts'
import { isDyno, isSource, textFinder } from '../line-match.ts'
import type { LogSession } from '../log-session.ts'
import { readLineTime } from '../line-time.ts'
import type { MessageTest } from './pattern.ts'

/** Which lines a tail shows. `key` is the same for filters that let the same lines pass. */
export type LineFilter = {
  key: string
  source: Uint8Array | undefined
  dyno: Uint8Array | undefined
  text: Uint8Array | undefined
  pattern: MessageTest | undefined
  /** From when on, and up to when: ms since the epoch. */
  since: number | undefined
  until: number | undefined
}

export type FilterWish = Pick<
  LogSession,
  'source' | 'dyno' | 'match' | 'pattern' | 'sinceMs' | 'untilMs'
>

/**
 * `source` is matched exactly, `dyno` exactly ("web.1") or by type ("web"), `match` and `pattern`
 * anywhere in the message; of the times that of a line itself counts. What is empty lets all pass.
 */
export function lineFilter(
  { source, dyno, match, pattern, sinceMs, untilMs }: FilterWish,
  testOf: (pattern: string) => MessageTest,
): LineFilter {
  return {
    key: JSON.stringify([source, dyno, match, pattern, sinceMs, untilMs]),
    source: source === '' ? undefined : Buffer.from(source),
    dyno: dyno === '' ? undefined : Buffer.from(dyno),
    text: match === '' ? undefined : Buffer.from(match),
    pattern: pattern === '' ? undefined : testOf(pattern),
    since: sinceMs,
    until: untilMs,
  }
}

export function letsAllPass(filter: LineFilter): boolean {
  const { source, dyno, text, pattern } = filter
  return !source && !dyno && !text && !pattern && !isTimed(filter)
}

function isTimed({ since, until }: LineFilter): boolean {
  return since !== undefined || until !== undefined
}

/** Says of the chunk's lines, asked in their order, whether they pass. */
export function chunkFilter(
  filter: LineFilter,
  { frames }: LogChunk,
): (line: StoredLine) => boolean {
  const { source, dyno, text, pattern } = filter
  const isInTime = isTimed(filter) && timeTest(frames, filter)
  const holdsText = text && textFinder(frames, text)
  return (line) => {
    // First, for it goes by the lines before as well.
    if (isInTime && !isInTime(line)) return false
    if (source && !isSource(frames, line, source)) return false
    if (dyno && !isDyno(frames, line, dyno)) return false
    if (holdsText && !holdsText(line)) return false
    return !pattern || pattern(frames.subarray(line.msgStart, endOfText(frames, line)))
  }
}

/**
 * Lines stand in the order in which they arrived, and those of a chunk arrived together: one whose
 * time cannot be read is as old as the one before it, or else as the first one that can be read.
 * In a chunk of none that can be, nothing is known, and they pass.
 */
function timeTest(
  frames: Uint8Array,
  { since = -Infinity, until = Infinity }: LineFilter,
): (line: StoredLine) => boolean {
  let time = firstTime(frames)
  return (line) => {
    const own = readLineTime(frames, line.timeStart, line.timeEnd)
    if (!Number.isNaN(own)) time = own
    return !(time < since) && !(time >= until)
  }
}

function firstTime(frames: Uint8Array): number {
  const line = blankLine()
  for (let at = 0; at < frames.length;) {
    at = readStoredLine(frames, at, line)
    const time = readLineTime(frames, line.timeStart, line.timeEnd)
    if (!Number.isNaN(time)) return time
  }
  return NaN
}
