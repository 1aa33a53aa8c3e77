import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { backoffMs } from '#lib/backoff.ts'
import type { Log } from '#lib/log.ts'
import type { AppLog, LogChunk, LogReading } from '../app-log/app-log.ts'
import type { LogDrain } from '../log-drain.ts'
import { formatLogTime } from '../log-time.ts'
import { logplexLine } from '../logplex-line.ts'
import { drainLossInLog, type Loss } from '../loss.ts'
import { composeBatch, lossOfOthers, type Batch } from './batch.ts'
import type { Carrier, Delivery } from './carrier.ts'
import { certificateMessage } from './certificate.ts'
import { DrainAudit } from './drain-audit.ts'
import { newFields, type CursorCommit, type DrainCursor } from './drain-cursor.ts'
import { drainFilter, type DrainFilter } from './drain-filter.ts'
import { drainOptionsOf } from './drain-options.ts'
import type { DrainLimits } from './limits.ts'
import type { Pace } from './pace.ts'

export type DrainDeps = {
  appLog: AppLog
  /** Moves a drain's cursor; false when another process has the drain by now. */
  commit: (commit: CursorCommit, alone: boolean) => Promise<boolean>
  log: Log
  limits: DrainLimits
  pace: Pace
}

/** local5.err */
const untrustedPri = 188
const noLoss: Loss = { count: 0, since: '' }

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
  #cursor: DrainCursor
  readonly #audit: DrainAudit
  #running: Promise<void> | undefined
  #written = Promise.resolve(true)
  #grown = false
  /** Number of the newest line that it was told of. */
  #head = 0
  /** Ends the wait for more lines; undefined when there is none. */
  #endLinger: (() => void) | undefined
  /** Another process has it now: this one may move nothing any more. */
  #lost = false
  /** The last line of a batch that is to be tried again as it was. */
  #retryUpTo: number | undefined
  #failures = 0

  constructor(deps: DrainDeps, drain: LogDrain, cursor: DrainCursor, carrier: Carrier) {
    this.#deps = deps
    this.#drain = drain
    this.#cursor = cursor
    this.#audit = new DrainAudit(drain.firstLine, cursor)
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
    return this.#cursor.moves
  }

  get lost(): boolean {
    return this.#lost
  }

  /** What does not hold of its account: here, or in a cursor that Redis has; undefined: all does. */
  fault(stored?: DrainCursor): string | undefined {
    return stored ? this.#audit.storedFault(stored) : this.#audit.fault(this.#cursor)
  }

  #grew(head: number): void {
    this.#head = head
    if (this.#isFar) this.#endLinger?.()
    this.wake()
  }

  get #isFar(): boolean {
    return this.#head - this.#cursor.next >= this.#deps.limits.lingerLinesMax
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
        if (this.#grown) this.wake()
      })
  }

  /** Tells the app's own log what was dropped since it was told last, at most once a minute. */
  async tell(): Promise<void> {
    const { untold, toldAt } = this.#cursor
    const { limits, appLog } = this.#deps
    if (untold.count === 0 || Date.now() - toldAt < limits.tellMsMin || this.#over) return
    // First the mark, then the line: told twice would be a second loss to whoever counts.
    let told = noLoss
    const marked = await this.#commit((cursor) => {
      told = cursor.untold
      return { untold: noLoss, toldAt: Date.now() }
    })
    if (!marked || told.count === 0) return
    await appLog.append(this.#drain.appId, 1, logplexLine(drainLossInLog(this.#drain.token, told)))
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
    this.#lost = true
    await this.stop()
  }

  get #over(): boolean {
    return this.#lost || this.#stopping.signal.aborted
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
        if (!batch || this.#lost) return
        await this.#deliver(batch, reading)
        behind = this.#cursor.next <= reading.bounds.head
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
    const { appLog } = this.#deps
    const { next } = this.#cursor
    const reading = await appLog.read(this.#drain.appId, next, this.#carrier.limits.bytesMax)
    const { chunks, bounds } = reading
    const available = chunks[0]?.first ?? bounds.oldest
    // A head before the cursor: the log was lost and its numbers began anew.
    if (chunks.length === 0 && bounds.head < next - 1) {
      const back = next - bounds.oldest
      await this.#commit(({ uncounted }) => ({ next: bounds.oldest, uncounted: uncounted - back }))
      this.#grown = bounds.oldest <= bounds.head
    } else if (available > next) {
      const since = this.#cursor.nextTime || formatLogTime(new Date())
      await this.#count('overflowed', { count: available - next, since })
    }
    return reading
  }

  #compose({ chunks }: LogReading): Batch | undefined {
    const { next, lost } = this.#cursor
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
      case 'refused': {
        this.#retryUpTo = undefined
        const lost = { count: lines, since: batch.firstTime }
        const untold = this.#lossOfOthers(batch, chunks)
        const { reason: lastError } = delivery
        const filtered = this.#cursor.filtered + batch.filtered
        const uncounted = this.#cursor.uncounted + othersOf(batch)
        const moved = { next: batch.last + 1, filtered, uncounted }
        const change = { ...moved, ...answered(lastError), lastError }
        this.#audit.count(batch.filtered)
        await this.#count('refused', lost, untold, change)
        return
      }
      case 'untrusted':
        await this.#tellUntrusted(delivery.reason)
        return this.#retry(batch, delivery)
      case 'retry':
        return this.#retry(batch, delivery)
    }
  }

  /** Moves the cursor past a batch that the receiver has, but for what it can never have. */
  async #accept(
    batch: Batch,
    { status, refused = { lines: 0, reason: '' } }: Delivery & { kind: 'accepted' },
    chunks: LogChunk[],
  ): Promise<void> {
    const answer = status === undefined ? 'sent' : `the receiver answered ${status}`
    const lastError = refused.reason.slice(0, this.#deps.limits.errorCharactersMax)
    const isWhole = refused.lines === 0
    const loss = isWhole ? noLoss : { count: refused.lines, since: batch.firstTime }
    const others = isWhole ? noLoss : this.#lossOfOthers(batch, chunks)
    // Nobody says which lines it refused: as few of the plexer's own as can be.
    const untold = { ...others, count: Math.min(loss.count, others.count) }
    await this.#commit((cursor) => ({
      next: this.#moveTo(batch.last + 1, batch.lines + batch.filtered),
      delivered: cursor.delivered + batch.lines - refused.lines,
      refused: cursor.refused + refused.lines,
      uncounted: cursor.uncounted + othersOf(batch),
      filtered: cursor.filtered + batch.filtered,
      // What was lost before has just been told; not so when there was nothing to send.
      lost: batch.lines > 0 ? loss : cursor.lost,
      untold: addLoss(cursor.untold, untold),
      nextTime: '',
      ...(batch.lines > 0 && { ...answered(answer), lastError }),
    }))
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
    const { afterMs = backoffMs(++this.#failures, limits.retry), reason } = failure
    const lastError = reason.slice(0, limits.errorCharactersMax)
    log.info({ drain: this.#drain.id, reason: lastError, afterMs }, 'drain will try again')
    await this.#commit(() => ({ nextTime: batch.firstTime, ...answered(lastError), lastError }))
    await this.#pause(afterMs)
  }

  /** Tells the app's own log that the receiver is not who it should be, at most once a minute. */
  async #tellUntrusted(reason: string): Promise<void> {
    const { limits, appLog, log } = this.#deps
    const { id, appId, url } = this.#drain
    if (Date.now() - this.#cursor.untrustedToldAt < limits.tellMsMin || this.#over) return
    if (!(await this.#commit(() => ({ untrustedToldAt: Date.now() })))) return
    const line = logplexLine(certificateMessage(url, reason), untrustedPri)
    // It waits for Redis, and a stop may not wait with it.
    appLog
      .append(appId, 1, line)
      .catch((error: unknown) => log.warn({ err: error, drain: id }, 'L14 could not be told'))
  }

  /** Moves the cursor past lines that will never be delivered, and remembers to say so. */
  async #count(
    reason: 'overflowed' | 'refused',
    lost: Loss,
    untold = lost,
    change: Partial<DrainCursor> = {},
  ): Promise<void> {
    this.#retryUpTo = undefined
    const { next = this.#cursor.next + lost.count } = change
    await this.#commit((cursor) => ({
      [reason]: cursor[reason] + lost.count,
      lost: addLoss(cursor.lost, lost),
      untold: addLoss(cursor.untold, untold),
      nextTime: '',
      ...change,
      next: this.#moveTo(next, lost.count),
    }))
  }

  /** Counts the lines that the cursor moves past, apart from the cursor: the two have to agree. */
  #moveTo(next: number, lines: number): number {
    this.#audit.count(lines)
    return next
  }

  /** Changes the cursor, here and in Redis: one change after the other. */
  #commit(change: (cursor: DrainCursor) => Partial<DrainCursor>): Promise<boolean> {
    this.#written = this.#written.then(() => {
      const expectedNext = this.#cursor.next
      const changed = newFields(this.#cursor, change(this.#cursor))
      this.#cursor = { ...this.#cursor, ...changed }
      return this.#write(expectedNext, changed)
    })
    return this.#written
  }

  /**
   * Writes the cursor, for as long as it takes; what was delivered is delivered. False when the
   * drain is no longer ours: then its new owner sends the batch in flight a second time.
   */
  async #write(expectedNext: number, changed: Partial<DrainCursor>): Promise<boolean> {
    const { commit, limits, log } = this.#deps
    const { id } = this.#drain
    for (let tries = 1; !this.#lost; tries++) {
      try {
        const cursor = { ...changed, next: this.#cursor.next }
        const ours = await commit({ id, expectedNext, cursor }, tries > 1)
        if (!ours) this.#lost = true
        return ours
      } catch (error) {
        if (this.#stopping.signal.aborted) return false
        log.warn({ err: error, drain: id }, 'drain waits for redis to move its cursor')
        await this.#pause(backoffMs(tries, limits.redisRetry))
      }
    }
    return false
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

/** Lines of the log's run that are no drain's to have. */
const othersOf = ({ first, last, lines, filtered }: Batch): number =>
  last + 1 - first - lines - filtered

/** What came of a batch just now. */
const answered = (text: string): Pick<DrainCursor, 'lastAnswer' | 'answeredAt'> => ({
  ...{ lastAnswer: text, answeredAt: Date.now() },
})

function addLoss(known: Loss, more: Loss): Loss {
  return { count: known.count + more.count, since: known.since || more.since }
}
