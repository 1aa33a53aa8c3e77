import type { ByteWriter } from '../byte-writer.ts'
import { formatLogTime } from '../log-time.ts'
import { drainLossMessage, type Loss } from '../loss.ts'
import type { StoredLine } from '../app-log/stored-line.ts'

/** How a line looks on one kind of drain. */
export type DrainFrame = {
  writeLine: (writer: ByteWriter, frames: Uint8Array, line: StoredLine) => void
  writeLoss: (writer: ByteWriter, loss: Loss) => void
}

const newline = 0x0a
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
      writer.number(line.timeEnd + 1 - line.bodyStart + (line.end - middleStart) + added)
      writer.byte(0x20)
      writer.copy(frames, line.bodyStart, line.timeEnd + 1)
      writer.copy(host)
      writer.copy(frames, middleStart, line.msgStart)
      writer.copy(hyphen)
      writer.copy(frames, line.msgStart, line.end)
      if (!endsWell) writer.byte(newline)
    },
    writeLoss: (writer, loss) => {
      const message = drainLossMessage(loss)
      const text = `<172>1 ${formatLogTime(new Date())} ${drainToken} heroku logplex - - ${message}\n`
      writer.copy(Buffer.from(`${text.length} ${text}`))
    },
  }
}

/** A line of the plexer's own about a drain, in the form that the app's log stores. */
export function logplexLine(message: string): Buffer {
  const text = `<172>1 ${formatLogTime(new Date())} host heroku logplex - ${message}`
  return Buffer.from(`${Buffer.byteLength(text)} ${text}`)
}
