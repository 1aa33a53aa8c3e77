import { endOfText, type StoredLine } from '../app-log/stored-line.ts'
import { ByteWriter } from '../byte-writer.ts'
import { formatLogTime } from '../log-time.ts'
import { readLineTime, writeLineTime } from '../line-time.ts'
import { countedFrame } from '../logplex-line.ts'
import { drainLossMessage } from '../loss.ts'
import { readPri, type DrainFrame } from './drain-frame.ts'

/** Longest APP-NAME and PROCID; of longer ones the beginning is sent. */
const appNameBytesMax = 48
const procIdBytesMax = 128
/** Highest PRI; facilities beyond it, which Logplex takes, are sent as local7, the last one. */
const priMax = 191
const local7Pri = 23 * 8
/** Highest sequenceId; 1 comes after it. */
const sequenceIdMax = 2_147_483_647

const space = 0x20
const hyphen = 0x2d
const questionMark = 0x3f
const beforeTime = Buffer.from('>1 ')
const beforeSequenceId = Buffer.from(' - [meta sequenceId="')
const beforeMessage = Buffer.from('"] ')
/** Of all that stands before a message. */
const headBytes = 512

/**
 * `LEN <PRI>1 TIME d.TOKEN SOURCE PROC - [meta sequenceId="N"] MSG`: RFC 5424 to the letter, where
 * N is the line's number, so that a receiver sees by a gap how many lines it does not have. The
 * length says where MSG ends; its own end of line is left out.
 */
export function rfc5424Frame(drainToken: string): DrainFrame {
  const host = Buffer.from(` ${drainToken} `)
  // What the length counts has to be known before it can be written.
  const head = new ByteWriter(headBytes)
  return {
    writeLine: (writer, frames, line, number) => {
      head.wrote(0)
      writeHead(head, frames, line, { host, number })
      const textEnd = endOfText(frames, line)
      writer.number(head.length + textEnd - line.msgStart)
      writer.byte(space)
      writer.append(head)
      writer.copy(frames, line.msgStart, textEnd)
    },
    writeLoss: (writer, loss) => {
      const message = drainLossMessage(loss)
      const text = `<172>1 ${formatLogTime(new Date())} ${drainToken} heroku logplex - - ${message}`
      writer.copy(countedFrame(text))
    },
  }
}

function writeHead(
  head: ByteWriter,
  frames: Uint8Array,
  line: StoredLine,
  { host, number }: { host: Uint8Array; number: number },
): void {
  const pri = readPri(frames, line)
  head.byte(0x3c)
  head.number(pri > priMax ? local7Pri + (pri % 8) : pri)
  head.copy(beforeTime)
  writeTime(head, frames, line)
  head.copy(host)
  writeField(head, frames, line.sourceStart, line.sourceEnd, appNameBytesMax)
  head.byte(space)
  writeField(head, frames, line.procStart, line.procEnd, procIdBytesMax)
  head.copy(beforeSequenceId)
  head.number(((number - 1) % sequenceIdMax) + 1)
  head.copy(beforeMessage)
}

/** In microseconds and UTC; a dash for what is no time, or falls on a leap second. */
function writeTime(head: ByteWriter, frames: Uint8Array, { timeStart, timeEnd }: StoredLine): void {
  const isLeapSecond = frames[timeStart + 17] === 0x36
  if (isLeapSecond || Number.isNaN(readLineTime(frames, timeStart, timeEnd))) head.byte(hyphen)
  else writeLineTime(head, frames, timeStart, timeEnd)
}

/** Of printable ASCII only: senders may have put anything there. */
function writeField(
  head: ByteWriter,
  bytes: Uint8Array,
  start: number,
  end: number,
  bytesMax: number,
): void {
  const stop = Math.min(end, start + bytesMax)
  if (stop === start) head.byte(hyphen)
  for (let at = start; at < stop; at++) {
    const byte = bytes[at] ?? 0
    head.byte(byte > space && byte < 0x7f ? byte : questionMark)
  }
}
