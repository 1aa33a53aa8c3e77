import { strangerBytesMax } from '../limits.ts'
import type { SyslogMessage } from '../syslog/message.ts'
import type { TokenLookup } from './token-lookup.ts'
import type { TokenRoute } from './token-table.ts'

type Deliver = (route: TokenRoute, frame: Uint8Array) => void

/**
 * Frames whose token this process does not know yet, in their order, until it has been looked up:
 * a token works from the moment that it was given out, whichever process the sender reaches.
 */
export class Strangers {
  readonly #lookup: TokenLookup
  readonly #deliver: Deliver
  readonly #refuse: (frames: number) => void
  readonly #waiting = new Map<string, Uint8Array[]>()
  #bytes = 0

  constructor(lookup: TokenLookup, deliver: Deliver, refuse: (frames: number) => void) {
    this.#lookup = lookup
    this.#deliver = deliver
    this.#refuse = refuse
  }

  /** Takes the frame bytes[start..end), or refuses it at once. */
  hold(bytes: Uint8Array, start: number, end: number, message: SyslogMessage): void {
    const { appStart, appEnd } = message
    const token = Buffer.from(bytes.subarray(appStart, appEnd)).toString('latin1')
    if (this.#lookup.isHopeless(token) || this.#bytes + end - start > strangerBytesMax) {
      this.#refuse(1)
      return
    }
    this.#bytes += end - start
    // Copied: the bytes are the socket's, and a Buffer's slice would share them.
    const frame = Uint8Array.from(bytes.subarray(start, end))
    const frames = this.#waiting.get(token)
    if (frames) {
      frames.push(frame)
      return
    }
    this.#waiting.set(token, [frame])
    void this.#resolve(token)
  }

  async #resolve(token: string): Promise<void> {
    // An answer that cannot be had is as good as none: the frames cannot wait for ever.
    const route = await this.#lookup.route(token).catch(() => undefined)
    const frames = this.#waiting.get(token) ?? []
    this.#waiting.delete(token)
    for (const frame of frames) {
      this.#bytes -= frame.length
      if (route) this.#deliver(route, frame)
    }
    if (!route) this.#refuse(frames.length)
  }
}
