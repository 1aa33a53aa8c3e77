import type { ByteWriter } from '../byte-writer.ts'
import { copyView, newView, viewOf, writeNumber } from '../bytes.ts'
import { formatLogTime } from '../log-time.ts'
import { countedFrame, logplexLine } from '../logplex-line.ts'
import { drainLossMessage, type Loss } from '../loss.ts'
import type { StoredLine } from '../app-log/stored-line.ts'

/** How lines look on one kind of drain. */
export type DrainFrame = {
  writeLine: (writer: ByteWriter, frames: Uint8Array, line: StoredLine, number: number) => void
  writeLoss: (writer: ByteWriter, loss: Loss) => void
  /** Lines look as they are stored, and may be copied many at a time. */
  isStored?: true
  /** What is sent of what was written for a batch, where that is not all. */
  wrap?: (written: Buffer) => Buffer
}

const newline = 0x0a
/** Of a frame's length and its space. */
const lengthBytesMax = 17
const space = 0x20
const hyphen = 0x2d

/**
 * `LEN <PRI>1 TIME host SOURCE PROC - MSG`: what Logplex posts, and what is stored, so lines are
 * copied as they are. There is no structured data in it, and no newline is added.
 */
export const httpsFrame: DrainFrame = {
  isStored: true,
  writeLine: (writer, frames, line) => writer.copy(frames, line.start, line.end),
  writeLoss: (writer, loss) => writer.copy(logplexLine(drainLossMessage(loss))),
}

/** `LEN <PRI>1 TIME d.TOKEN SOURCE PROC - - MSG\n`: RFC 5424 with the drain's token as host. */
export function syslogFrame(drainToken: string): DrainFrame {
  const host = newView(Buffer.from(drainToken))
  return {
    writeLine: (writer, frames, line) => {
      const endsWell = line.end > line.msgStart && frames[line.end - 1] === newline
      // From the space before SOURCE to MSG; the second hyphen is the structured data's.
      const middleStart = line.sourceStart - 1
      const added = host.byteLength + 2 + (endsWell ? 0 : 1)
      const size = line.timeEnd + 1 - line.bodyStart + (line.end - middleStart) + added
      const target = writer.room(size + lengthBytesMax)
      const stored = viewOf(frames)
      let at = writeNumber(target, writer.length, size)
      target.setUint8(at++, space)
      at = copyView(target, at, stored, line.bodyStart, line.timeEnd + 1)
      at = copyView(target, at, host, 0, host.byteLength)
      at = copyView(target, at, stored, middleStart, line.msgStart)
      target.setUint8(at++, hyphen)
      target.setUint8(at++, space)
      at = copyView(target, at, stored, line.msgStart, line.end)
      if (!endsWell) target.setUint8(at++, newline)
      writer.wrote(at)
    },
    writeLoss: (writer, loss) => {
      const message = drainLossMessage(loss)
      const text = `<172>1 ${formatLogTime(new Date())} ${drainToken} heroku logplex - - ${message}\n`
      writer.copy(countedFrame(text))
    },
  }
}

/** The number that says a line's facility (by 8) and severity: 0 … 255. */
export function readPri(frames: Uint8Array, { priStart, priEnd }: StoredLine): number {
  let pri = 0
  for (let at = priStart; at < priEnd; at++) pri = pri * 10 + (frames[at] ?? 0) - 0x30
  return pri
}
