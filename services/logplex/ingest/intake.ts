import type { AppId } from '#lib/ids.ts'
import type { AppLog } from '../app-log.ts'
import { Chunk } from '../chunk.ts'
import { pendingBytesHardMax, pendingBytesMax, pendingBytesResume } from '../limits.ts'
import { logTimeNow } from '../log-time.ts'
import type { SyslogMessage } from '../syslog-message.ts'
import type { IngestCounters } from './counters.ts'
import type { TokenRoute } from './token-table.ts'

/** One app's lines that are accepted and not yet in Redis. */
export type PendingLog = {
  appId: AppId
  /** The chunk that lines are added to; made with its first line. */
  chunk: Chunk | undefined
  /** Full chunks that wait for those before them, oldest first. */
  sealed: Chunk[]
  sending: boolean
  marked: boolean
  accepted: number
  settled: number
  waiting: { upTo: number; done: () => void }[]
}

/**
 * Collects lines into a chunk per app and appends it when nothing of that app is on its way, so
 * that chunks grow exactly when there is much to do. While Redis is away it holds what comes, up to
 * a limit at which senders are to be held back; only what was read before they could be is dropped.
 */
export class Intake {
  /** Bytes of lines that are accepted and not yet in Redis. */
  pendingBytes = 0
  readonly #appLog: AppLog
  readonly #counters: IngestCounters
  readonly #apps = new Map<AppId, PendingLog>()
  readonly #whenRoom: (() => void)[] = []
  #marked: PendingLog[] = []
  #heldBack = false

  constructor(appLog: AppLog, counters: IngestCounters) {
    this.#appLog = appLog
    this.#counters = counters
  }

  /** True while senders are to be held back. */
  get heldBack(): boolean {
    return this.#heldBack
  }

  /** Calls the listener each time that held-back senders may go on. */
  onRoom(listener: () => void): void {
    this.#whenRoom.push(listener)
  }

  /** Accepts a line, or drops and counts it when there is no room at all. */
  add(route: TokenRoute, bytes: Uint8Array, message: SyslogMessage): void {
    if (this.pendingBytes > pendingBytesHardMax) {
      this.#counters.droppedBufferFull++
      return
    }
    const pending = (route.pending ??= this.#pendingOf(route.appId))
    const chunk = (pending.chunk ??= new Chunk())
    this.pendingBytes += chunk.add(bytes, message, route.source, logTimeNow)
    pending.accepted++
    this.#counters.accepted++
    if (chunk.full) {
      pending.sealed.push(chunk)
      pending.chunk = undefined
    }
    if (this.pendingBytes > pendingBytesMax) this.#heldBack = true
    if (!pending.sending && !pending.marked) this.#mark(pending)
  }

  /**
   * Waits until all lines that the route's app has now are in Redis (or were dropped and counted).
   *
   * @returns false when they still wait after so many milliseconds.
   */
  settled(route: TokenRoute, waitMs: number): Promise<boolean> {
    const { pending } = route
    if (!pending || pending.settled === pending.accepted) return Promise.resolve(true)
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), waitMs)
      const done = (): void => {
        clearTimeout(timer)
        resolve(true)
      }
      pending.waiting.push({ upTo: pending.accepted, done })
    })
  }

  /** Waits until nothing is pending, or so long. */
  async drain(waitMs: number): Promise<void> {
    const end = Date.now() + waitMs
    while (this.pendingBytes > 0 && Date.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 10))
  }

  #pendingOf(appId: AppId): PendingLog {
    const known = this.#apps.get(appId)
    if (known) return known
    const pending: PendingLog = {
      appId,
      chunk: undefined,
      sealed: [],
      sending: false,
      marked: false,
      accepted: 0,
      settled: 0,
      waiting: [],
    }
    this.#apps.set(appId, pending)
    return pending
  }

  // Sending begins after the sockets of this turn were read, not with the first line of them.
  #mark(pending: PendingLog): void {
    pending.marked = true
    if (this.#marked.push(pending) === 1) setImmediate(() => this.#sendMarked())
  }

  #sendMarked(): void {
    const marked = this.#marked
    this.#marked = []
    for (const pending of marked) {
      pending.marked = false
      if (!pending.sending) void this.#send(pending)
    }
  }

  async #send(pending: PendingLog): Promise<void> {
    pending.sending = true
    for (let chunk = takeChunk(pending); chunk; chunk = takeChunk(pending)) {
      await this.#append(pending.appId, chunk)
      this.pendingBytes -= chunk.size
      pending.settled += chunk.count
      while (pending.waiting[0] && pending.waiting[0].upTo <= pending.settled)
        pending.waiting.shift()?.done()
      if (this.#heldBack && this.pendingBytes < pendingBytesResume) this.#letGo()
    }
    pending.sending = false
  }

  async #append(appId: AppId, chunk: Chunk): Promise<void> {
    try {
      const first = await this.#appLog.append(appId, chunk.count, chunk.frames)
      if (first > 0) this.#counters.appended += chunk.count
      else this.#counters.droppedRemoved += chunk.count
    } catch {
      // The log rejects only when it is closed: the process stops, and these lines with it.
      this.#counters.droppedClosed += chunk.count
    }
  }

  #letGo(): void {
    this.#heldBack = false
    for (const listener of this.#whenRoom) listener()
  }
}

function takeChunk(pending: PendingLog): Chunk | undefined {
  const sealed = pending.sealed.shift()
  if (sealed) return sealed
  const { chunk } = pending
  pending.chunk = undefined
  return chunk
}
