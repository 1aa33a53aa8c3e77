import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { newId } from '#lib/ids.ts'

/** So many lines, one in so many milliseconds. */
type Load = { lines: number; everyMs: number }

/** Longest post, and longest piece written to a socket at once. */
const linesAtOnceMax = 200
const postMsMax = 2_000
const retryMs = 20

const isLate = 'nobody took the lines in time'

type SenderOptions = {
  token: string
  /** Where to, the first first; after a failure the next. */
  to: string[]
  /** Least bytes of a message. */
  bytes?: number
}

/** What is the same for both: lines n1, n2, … in the pace of their load. */
abstract class LineSender {
  /** The number of the last line that was given to the other side. */
  sent = 0
  protected readonly options: SenderOptions
  protected at = 0

  constructor(options: SenderOptions) {
    this.options = options
  }

  /** Goes on from the line behind the last. Returns when all were given away. */
  async send({ lines, everyMs }: Load): Promise<void> {
    const begin = performance.now()
    const before = this.sent
    while (this.sent < before + lines) {
      const due = before + Math.min(lines, Math.floor((performance.now() - begin) / everyMs) + 1)
      const upTo = Math.min(due, this.sent + linesAtOnceMax)
      if (upTo > this.sent) await this.give(this.sent + 1, upTo)
      else await delay(everyMs)
    }
  }

  /** Counts the lines as sent once they are. */
  protected abstract give(from: number, upTo: number): Promise<void>

  protected frames(from: number, upTo: number): string {
    const { token, bytes = 60 } = this.options
    let text = ''
    for (let number = from; number <= upTo; number++) {
      const message = `n${number} `.padEnd(bytes, 'x')
      const line = `<190>1 2026-11-21T09:00:00.000000+00:00 host ${token} web.1 - - ${message}`
      text += `${line.length} ${line}`
    }
    return text
  }

  protected get target(): string {
    return this.options.to[this.at % this.options.to.length] ?? ''
  }
}

/** Posts as log-shuttle does: one at a time, and the same one again until somebody takes it. */
export class PostSender extends LineSender {
  protected async give(from: number, upTo: number): Promise<void> {
    const body = this.frames(from, upTo)
    const authorization = `Basic ${Buffer.from(`token:${this.options.token}`).toString('base64')}`
    const headers = {
      ...{ authorization, 'content-type': 'application/logplex-1' },
      ...{ 'logplex-msg-count': String(upTo - from + 1), 'x-request-id': newId() },
    }
    for (;;) {
      const signal = AbortSignal.timeout(postMsMax)
      const request = { method: 'POST', body, headers, signal }
      const status = await fetch(`${this.target}/logs`, request).then(
        (answer) => answer.status,
        () => isLate,
      )
      if (status === 204 || status === 202) break
      if (status !== isLate) throw new Error(`a post was answered ${status}`)
      this.at++
      await delay(retryMs)
    }
    this.sent = upTo
  }
}

/**
 * Writes to a connection, and to another one when that breaks; what was written is not repeated.
 */
export class TcpSender extends LineSender {
  /** First and last line of each connection, in their order; how it ended is not known. */
  readonly connections: { first: number; last: number }[] = []
  #socket: Socket | undefined

  protected async give(from: number, upTo: number): Promise<void> {
    const socket = (this.#socket ??= await this.#connect(from))
    const connection = this.connections.at(-1)
    if (!connection) throw new Error('no connection is known')
    connection.last = upTo
    this.sent = upTo
    // Until the system has taken it, or never will.
    if (!socket.write(this.frames(from, upTo))) await firstOf(socket, 'drain', 'close')
    if (socket.destroyed) this.#socket = undefined
  }

  async #connect(first: number): Promise<Socket> {
    for (;;) {
      const [host = '', port] = this.target.split(':')
      const socket = connect(Number(port), host)
      socket.on('error', () => undefined)
      if ((await firstOf(socket, 'connect', 'close')) === 'connect') {
        this.connections.push({ first, last: first - 1 })
        socket.once('close', () => {
          this.at++
          if (this.#socket === socket) this.#socket = undefined
        })
        return socket
      }
      this.at++
      await delay(retryMs)
    }
  }

  close(): void {
    this.#socket?.end()
  }
}

/** Which of the events comes first. */
function firstOf<Event extends string>(socket: Socket, ...events: Event[]): Promise<Event> {
  return new Promise((resolve) => {
    for (const event of events) socket.once(event, () => resolve(event))
  })
}
