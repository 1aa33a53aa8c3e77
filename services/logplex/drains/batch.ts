import { hash } from 'node:crypto'
import type { LogChunk } from '../app-log/app-log.ts'
import { bufferOf, startsAt } from '../bytes.ts'
import type { Loss } from '../loss.ts'
import { blankLine, readStoredLine, type StoredLine } from '../app-log/stored-line.ts'
import { BatchWriter } from './batch-writer.ts'
import type { DrainFilter } from './drain-filter.ts'
import type { DrainFrame } from './drain-frame.ts'

/** Lines first … last of an app's log, composed for one drain. */
export type Batch = {
  first: number
  last: number
  bytes: Buffer
  /** Lines in it: those of first … last that the drain is to have. */
  lines: number
  /** Those of first … last that its options leave out. */
  filtered: number
  /** Frames in it: the lines and, if it tells of loss, one more. */
  frames: number
  /** What the L10 frame in front of the lines tells; count 0: there is none. */
  loss: Loss
  /** TIME of the first line in it, as it was sent; empty when there is none. */
  firstTime: string
  drainId: string
}

/** 32 hex digits, the same for the same lines: over retries and over restarts of the process. */
export function frameIdOf({ drainId, first, last, loss }: Batch): string {
  const name = `${drainId} ${first} ${last} ${loss.count}`
  return hash('md5', name).toUpperCase()
}

export type BatchLimits = { bytesMax: number; linesMax: number }

/**
 * Composes lines from number `from` on, up to `last` or the limits, or where a chunk ends when half as
 * many lines are in it, but at least one, unless the filter leaves out all; undefined when the chunks
 * hold none. A loss that is to be told goes first.
 */
export function composeBatch(
  chunks: LogChunk[],
  options: {
    drainId: string
    from: number
    last: number
    limits: BatchLimits
    loss: Loss
    frame: DrainFrame
    filter?: DrainFilter | undefined
  },
): Batch | undefined {
  const { drainId, from, limits, loss, frame } = options
  const writer = new BatchWriter(() => expectedBytes(chunks, limits, frame))
  const passes = options.filter?.()
  if (loss.count > 0) frame.writeLoss(writer.started(), loss)
  let first = 0
  let last = 0
  let written = 0
  let filtered = 0
  let bytes = 0
  let firstTime = ''
  const takeLine = (number: number, frames: Uint8Array, line: StoredLine): boolean => {
    const size = line.end - line.start
    const full = written > 0 && (written === limits.linesMax || bytes + size > limits.bytesMax)
    if (full || number > options.last) return false
    first ||= number
    last = number
    if (isNotForDrains(frames, line)) return true
    if (passes && !passes(number, frames, line)) {
      filtered++
      return true
    }
    if (written === 0) firstTime = timeOf(frames, line)
    frame.writeLine(writer.started(), frames, line, number)
    written++
    bytes = writer.length
    return true
  }
  // A line at a time costs 100 ns, for a chunk of short ones as much as to send it.
  const fits = (chunk: LogChunk): boolean =>
    chunk.first >= from &&
    endOf(chunk) <= options.last &&
    written + chunk.count <= limits.linesMax &&
    writer.length + chunk.frames.length <= limits.bytesMax
  const mayBeWhole = frame.isStored && !passes
  for (const chunk of chunks) {
    // One that is cut in two would have all behind it cut as well.
    if (mayBeWhole && written > limits.linesMax / 2 && !fits(chunk)) break
    if (mayBeWhole && fits(chunk) && !mayHoldCertificateLine(chunk.frames)) {
      first ||= chunk.first
      last = endOf(chunk)
      if (written === 0) firstTime = timeOfFirst([chunk], first)
      writer.addWhole(chunk.frames)
      written += chunk.count
      bytes = writer.length
    } else if (!forLinesFrom([chunk], from, takeLine)) break
  }
  if (first === 0) return undefined
  const frames = written + (loss.count > 0 ? 1 : 0)
  const sent = frame.wrap?.(writer.finish()) ?? writer.finish()
  const counts = { lines: written, filtered, frames }
  return { first, last, bytes: sent, ...counts, loss, firstTime, drainId }
}

const logplexSource = Buffer.from('heroku logplex')
const certificateMark = Buffer.from('Error L14 ')

/** That a drain's certificate is no good is told to the app's readers only, as Logplex has it. */
function isNotForDrains(frames: Uint8Array, line: StoredLine): boolean {
  return isOwn(frames, line) && startsAt(frames, line.msgStart, certificateMark)
}

/** False when certainly no line of them is one that is not for drains. */
function mayHoldCertificateLine(frames: Uint8Array): boolean {
  return bufferOf(frames).includes(certificateMark)
}

/** True for a line of the plexer itself. */
function isOwn(frames: Uint8Array, { sourceStart, procEnd }: StoredLine): boolean {
  const isAsLong = procEnd - sourceStart === logplexSource.length
  return isAsLong && startsAt(frames, sourceStart, logplexSource)
}

/** A frame of a drain has some bytes more than the stored one; of small ones that is a third. */
function expectedBytes(
  chunks: LogChunk[],
  { bytesMax }: BatchLimits,
  { isStored }: DrainFrame,
): number {
  const stored = chunks.reduce((sum, { frames }) => sum + frames.length, 0)
  return Math.ceil(Math.min(stored, bytesMax) * (isStored ? 1 : 1.34)) + 256
}

/**
 * TIME of the first line from number `from` on, as it was sent; empty when the chunks hold none.
 */
export function timeOfFirst(chunks: LogChunk[], from: number): string {
  let time = ''
  forLinesFrom(chunks, from, (_, frames, line) => {
    time = timeOf(frames, line)
    return false
  })
  return time
}

/**
 * The lines first … last that pass the filter, without the plexer's own (source heroku, process
 * logplex), as a loss.
 */
export function lossOfOthers(
  chunks: LogChunk[],
  first: number,
  last: number,
  filter?: DrainFilter,
): Loss {
  const loss: Loss = { count: 0, since: '' }
  const passes = filter?.()
  forLinesFrom(chunks, first, (number, frames, line) => {
    if (number > last) return false
    if (isOwn(frames, line) || (passes && !passes(number, frames, line))) return true
    loss.count++
    loss.since ||= timeOf(frames, line)
    return true
  })
  return loss
}

function timeOf(frames: Uint8Array, line: StoredLine): string {
  return Buffer.from(frames.subarray(line.timeStart, line.timeEnd)).toString('latin1')
}

/** Number of the last line. */
const endOf = ({ first, count }: LogChunk): number => first + count - 1

/** @returns false when `visit` has ended it by that. */
function forLinesFrom(
  chunks: LogChunk[],
  from: number,
  visit: (number: number, frames: Uint8Array, line: StoredLine) => boolean,
): boolean {
  const line = blankLine()
  for (const { first, frames } of chunks) {
    let number = first
    for (let at = 0; at < frames.length; number++) {
      at = readStoredLine(frames, at, line)
      if (number >= from && !visit(number, frames, line)) return false
    }
  }
  return true
}
