import type { AppLog, LogChunk } from '../app-log/app-log.ts'
import { blankLine, readStoredLine } from '../app-log/stored-line.ts'
import { chunkFilter, letsAllPass, type LineFilter } from './line-filter.ts'

/**
 * Where a tail begins so that it shows the newest `lines` lines that pass the filter: their first
 * one's number (of all that pass when there are fewer), and the log's head at that moment. Filters
 * are applied before the count, so the log is read backwards, of which no more than `bytesMax` are
 * held at a time.
 */
export async function findStart(
  appLog: AppLog,
  appId: Parameters<AppLog['bounds']>[0],
  filter: LineFilter,
  lines: number,
  bytesMax: number,
): Promise<{ from: number; head: number }> {
  if (lines === 0 || letsAllPass(filter)) {
    const { oldest, head } = await appLog.bounds(appId)
    return { from: Math.max(oldest, head - lines + 1), head }
  }
  let missing = lines
  const newest = await appLog.readBack(appId, Infinity, bytesMax)
  const { head } = newest.bounds
  let from = head + 1
  for (let { chunks } = newest; chunks[0];) {
    for (const chunk of chunks.toReversed()) {
      const passing = passingNumbers(chunk, filter)
      if (passing.length >= missing) return { from: passing.at(-missing) ?? from, head }
      missing -= passing.length
      from = passing[0] ?? from
    }
    chunks = (await appLog.readBack(appId, chunks[0].first, bytesMax)).chunks
  }
  return { from, head }
}

function passingNumbers(chunk: LogChunk, filter: LineFilter): number[] {
  const { first, frames } = chunk
  const passes = chunkFilter(filter, chunk)
  const numbers: number[] = []
  const line = blankLine()
  let number = first
  for (let at = 0; at < frames.length; number++) {
    at = readStoredLine(frames, at, line)
    if (passes(line)) numbers.push(number)
  }
  return numbers
}
