import { copyBytes } from '../bytes.ts'
import { frameBytesMax } from '../limits.ts'
import { fieldBytesMax, type SyslogMessage } from './message.ts'

const dash = 0x2d
const dot = 0x2e

/** Makes of APP-NAME and PROCID one process: `sshd` and `4711` are `sshd.4711`. */
export class ProgramName {
  /** The message and behind it the name; a message that was RFC 3164 has become a little longer. */
  readonly #bytes = new Uint8Array(3 * frameBytesMax)

  /**
   * Changes the message's PROC, and answers the bytes that its positions are in from now on: those
   * given, or of our own, which are good until the next message.
   */
  put(bytes: Uint8Array, message: SyslogMessage): Uint8Array {
    const { appStart, appEnd, procStart, procEnd } = message
    if (isNil(bytes, appStart, appEnd)) return bytes
    if (isNil(bytes, procStart, procEnd)) {
      message.procStart = appStart
      message.procEnd = Math.min(appEnd, appStart + fieldBytesMax)
      return bytes
    }
    // Of a name that is too long the beginning, and none beside a PROCID that leaves it no room.
    const nameEnd = Math.min(appEnd, appStart + fieldBytesMax - 1 - (procEnd - procStart))
    if (nameEnd <= appStart) return bytes
    const start = message.priStart - 1
    const end = copyBytes(this.#bytes, 0, bytes, start, message.end)
    let to = copyBytes(this.#bytes, end, bytes, appStart, nameEnd)
    this.#bytes[to++] = dot
    to = copyBytes(this.#bytes, to, bytes, procStart, procEnd)
    message.priStart = 1
    message.priEnd -= start
    message.timeStart -= start
    message.timeEnd -= start
    message.msgStart -= start
    message.procStart = end
    message.procEnd = to
    message.end = end
    return this.#bytes
  }
}

const isNil = (bytes: Uint8Array, start: number, end: number): boolean =>
  end - start === 1 && bytes[start] === dash
