import type { LogChunk } from '../app-log/app-log.ts'
import { blankLine, readStoredLine } from '../app-log/stored-line.ts'
import { ByteWriter } from '../byte-writer.ts'
import { chunkFilter, type LineFilter } from './line-filter.ts'
import type { TailFormat } from './tail-format.ts'

/** Lines of one reading as a tail shows them. */
export type Rendered = { bytes: Buffer; lines: number }

/** The lines numbered `from` … `to` that pass the filter. */
export function renderLines(
  chunks: LogChunk[],
  from: number,
  filter: LineFilter,
  format: TailFormat,
  to = Infinity,
): Rendered {
  const size = chunks.reduce((sum, { frames }) => sum + frames.length, 0)
  const writer = new ByteWriter(Math.ceil(size * 1.25))
  const line = blankLine()
  let lines = 0
  format.writeStart(writer, Math.min(lastNumber(chunks), to))
  for (const chunk of chunks) {
    const { first, frames } = chunk
    const passes = chunkFilter(filter, chunk)
    let number = first
    for (let at = 0; at < frames.length; number++) {
      at = readStoredLine(frames, at, line)
      if (number < from || number > to || !passes(line)) continue
      format.writeLine(writer, number, frames, line)
      lines++
    }
  }
  return { bytes: writer.finish(), lines }
}

/** Number of the newest line in the chunks; 0 when there are none. */
export function lastNumber(chunks: LogChunk[]): number {
  const last = chunks.at(-1)
  return last ? last.first + last.count - 1 : 0
}

/** TIME of the line with that position in a chunk's frames, as it was sent. */
export function timeOfFirstLine({ frames }: LogChunk): string {
  const line = blankLine()
  readStoredLine(frames, 0, line)
  return Buffer.from(frames.subarray(line.timeStart, line.timeEnd)).toString('latin1')
}
