import type { AppLog, LogChunk } from '../app-log.ts'
import { blankLine, readStoredLine } from '../stored-line.ts'
import { letsAllPass, passes, type LineFilter } from './line-filter.ts'

/** How much further back each step looks for lines that pass a filter. */
const stepFactor = 4

/**
 * Where a tail begins so that it shows the newest `lines` lines that pass the filter: their first
 * one's number (all that are kept when there are fewer), and the log's head at that moment.
 * Filters are applied before the count, so the log is read backwards in growing steps.
 */
export async function findStart(
  log: AppLog,
  appId: Parameters<AppLog['bounds']>[0],
  filter: LineFilter,
  lines: number,
): Promise<{ from: number; head: number }> {
  if (lines === 0 || letsAllPass(filter)) {
    const { oldest, head } = await log.bounds(appId)
    return { from: Math.max(oldest, head - lines + 1), head }
  }
  for (let ask = lines; ; ask *= stepFactor) {
    const { chunks, bounds } = await log.readNewest(appId, ask)
    const from = startOfNewest(chunks, filter, lines)
    if (from !== undefined) return { from, head: bounds.head }
    const first = chunks[0]
    const whole = !first || first.first <= bounds.oldest || bounds.head - first.first + 1 < ask
    if (whole) return { from: first?.first ?? bounds.head + 1, head: bounds.head }
  }
}

/** Number of the line from which exactly `lines` lines pass; undefined when fewer do. */
function startOfNewest(chunks: LogChunk[], filter: LineFilter, lines: number): number | undefined {
  let missing = lines
  for (const chunk of chunks.toReversed()) {
    const passing = passingNumbers(chunk, filter)
    if (passing.length >= missing) return passing[passing.length - missing]
    missing -= passing.length
  }
  return undefined
}

function passingNumbers({ first, frames }: LogChunk, filter: LineFilter): number[] {
  const numbers: number[] = []
  const line = blankLine()
  let number = first
  for (let at = 0; at < frames.length; number++) {
    at = readStoredLine(frames, at, line)
    if (passes(filter, frames, line)) numbers.push(number)
  }
  return numbers
}
