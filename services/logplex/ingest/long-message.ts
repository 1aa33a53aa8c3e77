import { forEachPiece, isTooLong } from '../long-lines.ts'
import { blankMessage, type SyslogMessage } from '../syslog/message.ts'

/**
 * Calls `visit` with each line that a message too long for one becomes: bytes, and where in them.
 */
export function forEachLongLine(
  bytes: Uint8Array,
  message: SyslogMessage,
  visit: (bytes: Uint8Array, message: SyslogMessage) => void,
): void {
  const { priStart, priEnd, timeStart, timeEnd, procStart, procEnd } = message
  const pri = bytes.subarray(priStart, priEnd)
  const time = bytes.subarray(timeStart, timeEnd)
  const proc = bytes.subarray(procStart, procEnd)
  const line = blankMessage()
  line.priEnd = line.timeStart = pri.length
  line.timeEnd = line.procStart = line.timeStart + time.length
  line.procEnd = line.msgStart = line.procStart + proc.length
  forEachPiece(bytes, message.msgStart, message.end, (start, end, mark) => {
    const piece = Buffer.concat([pri, time, proc, bytes.subarray(start, end), mark])
    line.end = piece.length
    visit(piece, line)
  })
}

/** How many lines a message becomes. */
export function piecesOf(bytes: Uint8Array, message: SyslogMessage): number {
  if (!isTooLong(bytes, message.msgStart, message.end)) return 1
  let pieces = 0
  forEachPiece(bytes, message.msgStart, message.end, () => void pieces++)
  return pieces
}
