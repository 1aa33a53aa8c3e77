import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { backoffMs } from '#lib/backoff.ts'
import type { LogChunk, LogReading } from '../app-log/app-log.ts'
import type { LogDrain } from '../log-drain.ts'
import { formatLogTime } from '../log-time.ts'
import { noLoss, type Loss } from '../loss.ts'
import { composeBatch, lossOfOthers, type Batch } from './batch.ts'
import type { Carrier, Delivery } from './carrier.ts'
import type { DrainCursor } from './drain-cursor.ts'
import { drainFilter, type DrainFilter } from './drain-filter.ts'
import { tellLoss, tellUntrusted } from './drain-notices.ts'
import { drainOptionsOf } from './drain-options.ts'
import { accepted, failed, overflowed, refused, rewound } from './drain-outcomes.ts'
import { HeldCursor, type HeldCursorDeps } from './held-cursor.ts'
import type { Pace } from './pace.ts'
import { ReadAhead, type ReadAheadDeps } from './read-ahead.ts'

export type DrainDeps = HeldCursorDeps & ReadAheadDeps & { pace: Pace }

/**
 * One drain that this process owns: a cursor in the app's log that moves when the receiver has
 * accepted. It works only while there are lines past the cursor; idle, it is this object and a
 * listener. A batch that failed is not kept either: it is read again, with the same lines and the
 * same frame id, so a dead receiver costs nothing but a timer.
 */
export class Drain {
  readonly #deps: DrainDeps
  readonly #drain: LogDrain
  readonly #carrier: Carrier
  readonly #filter: DrainFilter | undefined
  readonly #stopListening: () => void
  readonly #stopping = new AbortController()
  readonly #cursor: HeldCursor
  readonly #log: ReadAhead
  #running: Promise<void> | undefined
  #grown = false
  /** Number of the newest line that it was told of. */
  #head = 0
  /** Ends the wait for more lines; undefined when there is none. */
  #endLinger: (() => void) | undefined
  /** The last line of a batch that is to be tried again as it was. */
  #retryUpTo: number | undefined
  #failures = 0

  constructor(deps: DrainDeps, drain: LogDrain, cursor: DrainCursor, carrier: Carrier) {
    this.#deps = deps
    this.#drain = drain
    const { id, firstLine } = drain
    this.#cursor = new HeldCursor(deps, { id, firstLine, cursor, stopping: this.#stopping.signal })
    this.#log = new ReadAhead(deps, drain.appId)
    this.#carrier = carrier
    this.#filter = drainFilter(drainOptionsOf(new URL(drain.url)))
    this.#stopListening = deps.appLog.onGrew(drain.appId, (head) => this.#grew(head))
    this.wake()
  }

  /** Lines that are replayed are no batch that comes again, which a receiver may pass over. */
  get #nameOfBatches(): string {
    return this.moves === 0 ? this.#drain.id : `${this.#drain.id} ${this.moves}`
  }

  /** Whether it sends where that one is to send, and as that one is to. */
  goesTo({ url, headers }: LogDrain): boolean {
    return url === this.#drain.url && isDeepStrictEqual(headers, this.#drain.headers)
  }

  /** How often its cursor had been moved back when it was claimed. */
  get moves(): number {
    return this.#cursor.now.moves
  }

  get lost(): boolean {
    return this.#cursor.lost
  }

  /**
   * What does not hold of its account: here, or in a cursor that Redis has; undefined: all does.
   */
  fault(stored?: DrainCursor): string | undefined {
    return this.#cursor.fault(stored)
  }

  #grew(head: number): void {
    this.#head = head
    if (this.#isFar) this.#endLinger?.()
    this.wake()
  }

  get #isFar(): boolean {
    return this.#head - this.#cursor.now.next >= this.#deps.limits.lingerLinesMax
  }

  /** There may be lines past the cursor. */
  wake(): void {
    this.#grown = true
    if (this.#running || this.#over) return
    this.#running = this.#work()
      .catch((error: unknown) =>
        this.#deps.log.error({ err: error, drain: this.#drain.id }, 'drain stopped working'),
      )
      .finally(() => {
        this.#running = undefined
        this.#log.letGo()
        if (this.#grown) this.wake()
      })
  }

  /** Tells the app's own log what was dropped since it was told last, at most once a minute. */
  async tell(): Promise<void> {
    if (!this.#over) await tellLoss(this.#deps, this.#drain, this.#cursor)
  }

  /** Lets a batch in flight end for a moment, then gives it up; the cursor stays where it was. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#endLinger?.()
    this.#stopListening()
    const { stopMsMax } = this.#deps.limits
    const waited = new AbortController()
    const { signal } = waited
    await Promise.race([
      this.#running,
      delay(stopMsMax, undefined, { signal }).catch(() => undefined),
    ])
    waited.abort()
    await this.#carrier.close()
    await this.#running
  }

  /** Another process has taken the drain over: no more work, and no more writing. */
  async yield(): Promise<void> {
    this.#cursor.lose()
    await this.stop()
  }

  get #over(): boolean {
    return this.#cursor.lost || this.#stopping.signal.aborted
  }

  async #work(): Promise<void> {
    let behind = false
    let unread = 0
    while (!this.#over) {
      if (!behind && !this.#isFar) await this.#linger()
      if (!behind && !this.#grown) return
      this.#grown = false
      if (this.#over) return
      try {
        const reading = await this.#read()
        unread = 0
        const batch = this.#compose(reading)
        if (!batch || this.#cursor.lost) return
        await this.#deliver(batch, reading)
        behind = this.#cursor.now.next <= reading.bounds.head
      } catch (error) {
        // Nobody tells again of lines that were there before.
        behind = true
        this.#deps.log.warn({ err: error, drain: this.#drain.id }, 'drain could not read its log')
        await this.#pause(backoffMs(++unread, this.#deps.limits.redisRetry))
      }
    }
  }

  /** What there is past the cursor, after what is lost of it has been counted. */
  async #read(): Promise<LogReading> {
    const { next, nextTime } = this.#cursor.now
    const reading = await this.#log.read(next, this.#carrier.limits.bytesMax, this.#head)
    this.#head = Math.max(this.#head, reading.bounds.head)
    const { chunks, bounds } = reading
    const available = chunks[0]?.first ?? bounds.oldest
    // A head before the cursor: the log was lost and its numbers began anew.
    if (chunks.length === 0 && bounds.head < next - 1) {
      this.#head = bounds.head
      await this.#cursor.move((cursor) => rewound(cursor, bounds.oldest))
      this.#grown = bounds.oldest <= bounds.head
    } else if (available > next) {
      const lost = { count: available - next, since: nextTime || formatLogTime(new Date()) }
      this.#retryUpTo = undefined
      await this.#cursor.move((cursor) => overflowed(cursor, lost), lost.count)
    }
    return reading
  }

  #compose({ chunks }: LogReading): Batch | undefined {
    const { next, lost } = this.#cursor.now
    return composeBatch(chunks, {
      drainId: this.#nameOfBatches,
      from: next,
      last: this.#retryUpTo ?? Infinity,
      limits: this.#carrier.limits,
      loss: lost,
      frame: this.#carrier.frame,
      filter: this.#filter,
    })
  }

  async #deliver(batch: Batch, { chunks }: LogReading): Promise<void> {
    const { lines } = batch
    this.#deps.pace.count()
    const delivery: Delivery =
      lines === 0 ? { kind: 'accepted' } : await this.#carrier.deliver(batch)
    switch (delivery.kind) {
      case 'accepted':
        this.#failures = 0
        this.#retryUpTo = undefined
        await this.#accept(batch, delivery, chunks)
        return
      case 'refused':
        this.#retryUpTo = undefined
        await this.#refuse(batch, delivery, chunks)
        return
      case 'untrusted':
        if (!this.#over) await tellUntrusted(this.#deps, this.#drain, this.#cursor, delivery.reason)
        return this.#retry(batch, delivery)
      case 'retry':
        return this.#retry(batch, delivery)
    }
  }

  /** Moves the cursor past a batch that the receiver has, but for what it can never have. */
  async #accept(
    batch: Batch,
    { status, refused: few = { lines: 0, reason: '' } }: Delivery & { kind: 'accepted' },
    chunks: LogChunk[],
  ): Promise<void> {
    const others = few.lines === 0 ? noLoss : this.#lossOfOthers(batch, chunks)
    const answer = {
      text: status === undefined ? 'sent' : `the receiver answered ${status}`,
      refusedLines: few.lines,
      // Nobody says which lines it refused: as few of the plexer's own as can be.
      untold: { ...others, count: Math.min(few.lines, others.count) },
      lastError: this.#shortened(few.reason),
    }
    await this.#cursor.move((cursor) => accepted(cursor, batch, answer), passedBy(batch))
  }

  /** Moves the cursor past a batch that will never be delivered, and remembers to say so. */
  async #refuse(batch: Batch, { reason }: { reason: string }, chunks: LogChunk[]): Promise<void> {
    const untold = this.#lossOfOthers(batch, chunks)
    const answer = { untold, lastError: this.#shortened(reason) }
    await this.#cursor.move((cursor) => refused(cursor, batch, answer), passedBy(batch))
  }

  #shortened(reason: string): string {
    return reason.slice(0, this.#deps.limits.errorCharactersMax)
  }

  /** Lines about loss that are lost do not ask for more such lines, or they never ended. */
  #lossOfOthers({ first, last }: Batch, chunks: LogChunk[]): Loss {
    return lossOfOthers(chunks, first, last, this.#filter)
  }

  /** Remembers what was in the way, and waits. */
  async #retry(batch: Batch, failure: { reason: string; afterMs?: number }): Promise<void> {
    const { limits, log } = this.#deps
    // Stopped from outside is not the receiver's fault.
    if (this.#over) return
    this.#retryUpTo = batch.last
    this.#log.letGo()
    const backOffMs = backoffMs(++this.#failures, limits.retry)
    // A receiver may ask for sooner than that, but not for at once, over and over.
    const afterMs = Math.max(failure.afterMs ?? backOffMs, limits.retry.firstMs)
    const { reason } = failure
    const lastError = this.#shortened(reason)
    log.info({ drain: this.#drain.id, reason: lastError, afterMs }, 'drain will try again')
    await this.#cursor.move(() => failed(batch, lastError))
    await this.#pause(afterMs)
  }

  /** Waits for more lines; every drain does so all the time, and a timer of its own is cheap. */
  #linger(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#endLinger?.(), this.#deps.pace.lingerMs())
      this.#endLinger = () => {
        this.#endLinger = undefined
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Waits, but not when the drain is stopped. */
  async #pause(ms: number): Promise<void> {
    const { signal } = this.#stopping
    await delay(ms, undefined, { signal }).catch(() => undefined)
  }
}

/** What it stands for that a batch is done with: its lines, and those that were left out of it. */
const passedBy = ({ lines, filtered }: Batch): number => lines + filtered
