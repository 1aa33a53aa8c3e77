import type { ByteWriter } from '../byte-writer.ts'
import { copyBytes, writeNumber } from '../bytes.ts'
import { formatLogTime } from '../log-time.ts'
import { drainLossMessage, type Loss } from '../loss.ts'
import type { StoredLine } from '../app-log/stored-line.ts'

/** How a line looks on one kind of drain. */
export type DrainFrame = {
  writeLine: (writer: ByteWriter, frames: Uint8Array, line: StoredLine) => void
  writeLoss: (writer: ByteWriter, loss: Loss) => void
}

const newline = 0x0a
/** Of a frame's length and its space. */
const lengthBytesMax = 17
const hyphen = Buffer.from('- ')

/**
 * `LEN <PRI>1 TIME host SOURCE PROC - MSG`: what Logplex posts, and what is stored, so lines are
 * copied as they are. There is no structured data in it, and no newline is added.
 */
export const httpsFrame: DrainFrame = {
  writeLine: (writer, frames, line) => writer.copy(frames, line.start, line.end),
  writeLoss: (writer, loss) => {
    const text = `<172>1 ${formatLogTime(new Date())} host heroku logplex - ${drainLossMessage(loss)}`
    writer.copy(Buffer.from(`${text.length} ${text}`))
  },
}

/** `LEN <PRI>1 TIME d.TOKEN SOURCE PROC - - MSG\n`: RFC 5424 with the drain's token as host. */
export function syslogFrame(drainToken: string): DrainFrame {
  const host = Buffer.from(drainToken)
  return {
    writeLine: (writer, frames, line) => {
      const endsWell = line.end > line.msgStart && frames[line.end - 1] === newline
      // From the space before SOURCE to MSG; the second hyphen is the structured data's.
      const middleStart = line.sourceStart - 1
      const added = host.length + hyphen.length + (endsWell ? 0 : 1)
      const size = line.timeEnd + 1 - line.bodyStart + (line.end - middleStart) + added
      const target = writer.room(size + lengthBytesMax)
      let at = writeNumber(target, writer.length, size)
      target[at++] = 0x20
      at = copyBytes(target, at, frames, line.bodyStart, line.timeEnd + 1)
      at = copyBytes(target, at, host, 0, host.length)
      at = copyBytes(target, at, frames, middleStart, line.msgStart)
      at = copyBytes(target, at, hyphen, 0, hyphen.length)
      at = copyBytes(target, at, frames, line.msgStart, line.end)
      if (!endsWell) target[at++] = newline
      writer.wrote(at)
    },
    writeLoss: (writer, loss) => {
      const message = drainLossMessage(loss)
      const text = `<172>1 ${formatLogTime(new Date())} ${drainToken} heroku logplex - - ${message}\n`
      writer.copy(Buffer.from(`${text.length} ${text}`))
    },
  }
}

/**
 * A line of the plexer's own about a drain, in the form that the app's log stores.
 *
 * @param pri local5.warning unless told otherwise
 */
export function logplexLine(message: string, pri = 172): Buffer {
  const text = `<${pri}>1 ${formatLogTime(new Date())} host heroku logplex - ${message}`
  return Buffer.from(`${Buffer.byteLength(text)} ${text}`)
}
