import { setTimeout as delay } from 'node:timers/promises'
import type { AppId } from '#lib/ids.ts'
import type { AppLog } from '../app-log/app-log.ts'
import { Chunk, type Post } from '../app-log/chunk.ts'
import {
  lingerMsAtThousand,
  lingerMsMax,
  pendingBytesHardMax,
  pendingBytesMax,
  pendingBytesPerAppHardMax,
  pendingBytesPerAppMax,
  pendingBytesPerAppResume,
  pendingBytesResume,
} from '../limits.ts'
import { isTooLong } from '../long-lines.ts'
import { logTimeNow } from '../log-time.ts'
import { Switches } from '../switches.ts'
import type { SyslogMessage } from '../syslog/message.ts'
import { Allowances } from './allowances.ts'
import type { IngestCounters } from './counters.ts'
import { forEachLongLine, piecesOf } from './long-message.ts'
import {
  newPendingLog,
  resumeHeld,
  settleLines,
  takeChunk,
  type HeldSender,
  type LineFate,
  type PendingLog,
} from './pending-log.ts'
import { anybody, noteRoute, type SenderApps } from './sender-apps.ts'
import type { TokenRoute } from './token-table.ts'

/**
 * Collects lines into a chunk per app and appends it when nothing of that app is on its way, so
 * that chunks grow exactly when there is much to do. While Redis is away it holds what comes, up to
 * a limit at which senders are to be held back; only what was read before they could be is dropped.
 */
export class Intake {
  /** Bytes of lines that are accepted and not yet in Redis. */
  pendingBytes = 0
  readonly switches: Switches
  readonly #appLog: AppLog
  readonly #counters: IngestCounters
  readonly #apps = new Map<AppId, PendingLog>()
  readonly #whenRoom: (() => void)[] = []
  /** Those that wait for more of their app's lines: about as long as each other, per list. */
  readonly #marked: PendingLog[][] = []
  readonly #allowances: Allowances
  /** Whose bytes are being read: told by who reads them, for as long as that takes. */
  sender: SenderApps = anybody
  #heldBack = false

  /** @param linesPerSecondPerApp beyond it an app's lines are dropped; 0: none is */
  constructor(
    appLog: AppLog,
    counters: IngestCounters,
    switches = new Switches(),
    linesPerSecondPerApp = 0,
  ) {
    this.switches = switches
    this.#allowances = new Allowances(appLog, linesPerSecondPerApp)
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

  /** True while those who send this app's lines, and none of others, are to be held back. */
  isFull({ appId }: Pick<TokenRoute, 'appId'>): boolean {
    return (this.#apps.get(appId)?.bytes ?? 0) > pendingBytesPerAppMax
  }

  /** Resumes the sender when there is room for the lines of this app, which is full. */
  holdBack({ appId }: Pick<TokenRoute, 'appId'>, sender: HeldSender): void {
    this.#apps.get(appId)?.held.add(sender)
  }

  /**
   * Accepts a message as a line, or as several when it is too long, or drops and counts it when
   * there is no room at all; `post` is what it came in, if that may come again.
   *
   * @returns false when there was no room for anybody's; what is switched off, comes too fast or
   * finds no room beside its app's own lines is dropped, counted, and true.
   */
  add(route: TokenRoute, bytes: Uint8Array, message: SyslogMessage, post?: Post): boolean {
    if (this.switches.anyOff && this.switches.isOff('ingest', route.appId)) {
      this.#counters.droppedSwitchedOff++
      return true
    }
    if (this.pendingBytes > pendingBytesHardMax) {
      this.#counters.droppedBufferFull++
      return false
    }
    const { sender } = this
    if (sender.route !== route && !sender.several) noteRoute(sender, route)
    const pending = (route.pending ??= this.#pendingOf(route))
    if (--pending.allowance.left < 0 || pending.bytes > pendingBytesPerAppHardMax)
      this.#drop(pending, bytes, message, post)
    else if (isTooLong(bytes, message.msgStart, message.end))
      this.#addLong(route, bytes, message, post)
    else this.#addLine(route, bytes, message, post)
    return true
  }

  #drop(pending: PendingLog, bytes: Uint8Array, message: SyslogMessage, post?: Post): void {
    const { allowance } = pending
    if (allowance.left < 0) this.#counters.droppedOverRate++
    else this.#counters.droppedAppFull++
    this.#allowances.drop(allowance)
    // A post that comes again is to find its lines under the same numbers.
    if (post) post.lines += piecesOf(bytes, message)
    // With nothing to send it is only forgotten.
    if (!pending.sending && !pending.marked) this.#mark(pending)
  }

  #addLong(route: TokenRoute, bytes: Uint8Array, message: SyslogMessage, post?: Post): void {
    let pieces = 0
    const pending = route.pending
    forEachLongLine(bytes, message, (pieceBytes, piece) => {
      this.#addLine(route, pieceBytes, piece, post)
      pieces++
    })
    this.#counters.split += pieces - 1
    if (pending) pending.allowance.left -= pieces - 1
  }

  #addLine(route: TokenRoute, bytes: Uint8Array, message: SyslogMessage, post?: Post): void {
    const pending = (route.pending ??= this.#pendingOf(route))
    const chunk = (pending.chunk ??= new Chunk(route.chunkBytes))
    const size = chunk.add(bytes, message, route.source, logTimeNow, post)
    this.pendingBytes += size
    pending.bytes += size
    pending.accepted++
    this.#counters.accepted++
    if (this.pendingBytes > pendingBytesMax) this.#heldBack = true
    if (chunk.full) {
      pending.sealed.push(chunk)
      pending.chunk = undefined
      // It cannot grow any more, and its app's log must not be overrun while it waits.
      this.#hurry(pending)
    } else if (!pending.sending && !pending.marked) this.#mark(pending)
  }

  /** Sends what the route's app has without waiting for more: a post is a batch already. */
  hurry({ pending }: TokenRoute): void {
    if (pending) this.#hurry(pending)
  }

  /**
   * Waits until the lines that the route's app has now have met their fate, and gives that of the
   * last of them: an app is destroyed and a log closed for good, so that the lines after a refused
   * one are refused as well.
   *
   * @returns 'waiting' when they still wait after so many milliseconds.
   */
  settled(route: TokenRoute, waitMs: number): Promise<LineFate | 'waiting'> {
    const { pending } = route
    if (!pending) return Promise.resolve('appended')
    return new Promise((resolve) => {
      const done = (fate: LineFate | 'waiting'): void => {
        clearTimeout(timer)
        resolve(fate)
      }
      const waiter = { upTo: pending.accepted, done }
      const timer = setTimeout(() => {
        pending.waiting.delete(waiter)
        done('waiting')
      }, waitMs)
      pending.waiting.add(waiter)
    })
  }

  /** Tells apps what was dropped, and waits until nothing is pending, or so long. */
  async drain(waitMs: number): Promise<void> {
    const end = Date.now() + waitMs
    const told = this.#allowances.close()
    while (this.pendingBytes > 0 && Date.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 10))
    const waited = new AbortController()
    const late = delay(Math.max(0, end - Date.now()), undefined, { signal: waited.signal })
    await Promise.race([told, late]).finally(() => waited.abort())
  }

  #pendingOf(route: TokenRoute): PendingLog {
    const { appId } = route
    const pending = this.#apps.get(appId) ?? newPendingLog(appId, this.#allowances.take(appId))
    this.#apps.set(route.appId, pending)
    pending.routes.push(route)
    return pending
  }

  #forget(pending: PendingLog): void {
    for (const route of pending.routes) route.pending = undefined
    this.#apps.delete(pending.appId)
    this.#allowances.giveBack(pending.allowance)
  }

  // Sending begins after the sockets of this turn were read, not with the first line of them, and
  // the later the more lines the app sends, reckoned as if all apps sent as many: by the lines of
  // all a quiet app would wait for a loud one's.
  #mark(pending: PendingLog): void {
    pending.marked = true
    const allowances = this.#allowances
    const thousands = (allowances.rateOf(pending.allowance) * allowances.apps) / 1000
    const waitMs = Math.min(lingerMsMax, lingerMsAtThousand * thousands * thousands)
    const list = 32 - Math.clz32(waitMs)
    const marked = (this.#marked[list] ??= [])
    if (marked.push(pending) > 1) return
    if (waitMs < 1) setImmediate(() => this.#sendMarked(list))
    else setTimeout(() => this.#sendMarked(list), waitMs)
  }

  #hurry(pending: PendingLog): void {
    if (pending.sending) return
    pending.marked = false
    void this.#send(pending)
  }

  #sendMarked(list: number): void {
    const marked = this.#marked[list] ?? []
    this.#marked[list] = []
    for (const pending of marked) {
      if (!pending.marked) continue
      pending.marked = false
      if (!pending.sending) void this.#send(pending)
    }
  }

  async #send(pending: PendingLog): Promise<void> {
    pending.sending = true
    for (let chunk = takeChunk(pending); chunk; chunk = this.#nextOf(pending)) {
      const { size, count } = chunk
      for (const route of pending.routes) route.chunkBytes = size
      const fate = await this.#append(pending.appId, chunk)
      this.pendingBytes -= size
      pending.bytes -= size
      settleLines(pending, count, fate)
      if (this.#heldBack && this.pendingBytes < pendingBytesResume) this.#letGo()
      if (pending.held.size > 0 && pending.bytes < pendingBytesPerAppResume) resumeHeld(pending)
    }
    pending.sending = false
    if (pending.chunk) this.#mark(pending)
    else this.#forget(pending)
  }

  /** What is to go at once behind an append: the rest waits for more of its app's lines. */
  #nextOf(pending: PendingLog): Chunk | undefined {
    return pending.sealed.length > 0 || pending.waiting.size > 0 ? takeChunk(pending) : undefined
  }

  async #append(appId: AppId, chunk: Chunk): Promise<LineFate> {
    try {
      const { count, frames, parts } = chunk
      const once = parts.length > 0 ? parts : undefined
      const { first, added } = await this.#appLog.append(appId, count, frames, once)
      this.#counters.appended += added
      if (first > 0) this.#counters.repeated += count - added
      else this.#counters.droppedRemoved += count
      return first > 0 ? 'appended' : 'removed'
    } catch {
      // The log rejects only when it is closed: the process stops, and these lines with it.
      this.#counters.droppedClosed += chunk.count
      return 'closed'
    }
  }

  #letGo(): void {
    this.#heldBack = false
    for (const listener of this.#whenRoom) listener()
  }
}
