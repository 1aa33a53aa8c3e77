import { randomUUID } from 'node:crypto'
import { newId, type AppId, type DrainId } from '#lib/ids.ts'
import type { Log } from '#lib/log.ts'
import type { AppLog } from '../app-log/app-log.ts'
import { expireLog } from '../app-log/log-calls.ts'
import { expireCursor } from '../drains/drain-cursor.ts'
import { startDrains, type Drains } from '../drains/drains.ts'
import type { TokenTable } from '../ingest/token-table.ts'
import { canaryKeptSeconds, canaryPollMs, canaryPostMs } from '../limits.ts'
import type { LogDrain } from '../log-drain.ts'
import { formatLogTime } from '../log-time.ts'
import type { Redis } from '../redis.ts'
import { openCanaryReceiver, type CanaryReceiver } from './canary-receiver.ts'
import { runCanaryTail } from './canary-tail.ts'
import { NumberRun } from './number-run.ts'

export type CanaryDeps = {
  appLog: AppLog
  redis: Redis
  tokens: TokenTable
  /** `POST /logs` of this very process. */
  inputUrl: string
  /** A line that does not come out for so long is an error of ours. */
  waitMs: number
  log: Log
}

/** What came of one line; `wrong` is an error of ours, `unknown` is not known to be one. */
export type Round =
  | { kind: 'well'; tailMs: number; drainMs: number }
  | { kind: 'unknown' | 'wrong'; why: string }

/**
 * A channel of the canary's own: an app that nobody knows, a token that stands in this process
 * only, a tail and a drain. Its keys in Redis expire an hour after the last line, whatever becomes
 * of the process. Each line has the next number, so that at either end one that is missing or comes
 * twice shows; and how many lines were sent and have arrived says what the drain's account has to
 * be.
 */
export class CanaryRun {
  /** Lines that were taken: answered 204. */
  sent = 0
  readonly #deps: CanaryDeps
  readonly #appId = newId<AppId>()
  readonly #token = `t.${randomUUID()}`
  readonly #tailed = new NumberRun()
  readonly #drained = new NumberRun()
  readonly #stopping = new AbortController()
  #tail: Promise<void> | undefined
  #receiver: CanaryReceiver | undefined
  #drains: Drains | undefined
  #drain: LogDrain | undefined

  constructor(deps: CanaryDeps) {
    this.#deps = deps
  }

  /** Rejects when Redis is away. Whatever comes of it, close() is to be called. */
  async open(): Promise<void> {
    const { appLog, redis, tokens, log } = this.#deps
    const appId = this.#appId
    tokens.set(this.#token, appId, 'canary')
    const { signal } = this.#stopping
    this.#tail = runCanaryTail({ appId, appLog, numbers: this.#tailed, signal, log })
    this.#receiver = await openCanaryReceiver(`/${randomUUID()}`, this.#drained)
    this.#drain = {
      ...{ id: newId<DrainId>(), appId, token: `d.${randomUUID()}` },
      ...{ url: this.#receiver.url, firstLine: 1 },
    }
    this.#drains = await startDrains({ appLog, redis, mayBeLocal: true, caFile: '', log })
    this.#drains.sync([this.#drain])
  }

  /** Sends one line and follows it to both ends. Rejects when Redis cannot be asked. */
  async round(): Promise<Round> {
    const startedMs = performance.now()
    const refusal = await this.#post(this.sent + 1)
    if (refusal) return { kind: 'unknown', why: refusal }
    const number = ++this.sent
    await this.#keepForAWhile()
    const { signal } = this.#stopping
    const arrivals = [this.#tailed, this.#drained].map(async (numbers) => {
      const arrived = await numbers.has(number, this.#deps.waitMs, signal)
      return arrived ? performance.now() - startedMs : undefined
    })
    const [tailMs, drainMs] = await Promise.all(arrivals)
    const why =
      faultOf('a tail', this.#tailed, tailMs) ??
      faultOf('a drain', this.#drained, drainMs) ??
      (await this.#accountFault())
    if (signal.aborted) return { kind: 'unknown', why: 'logplex stops' }
    if (why !== undefined || tailMs === undefined || drainMs === undefined)
      return { kind: 'wrong', why: why ?? '' }
    return { kind: 'well', tailMs, drainMs }
  }

  /** Ends what a round waits for. */
  abort(): void {
    this.#stopping.abort()
  }

  /** Ends everything, and leaves what Redis has of it to expire. */
  async close(): Promise<void> {
    const { tokens, redis } = this.#deps
    tokens.delete(this.#token)
    this.abort()
    await this.#tail
    await this.#drains?.stop()
    await this.#receiver?.close()
    // Redis may be away: what it has goes by itself then.
    await expireLog(redis, this.#appId, 1).catch(() => undefined)
    if (this.#drain) await expireCursor(redis, this.#drain.id, 1).catch(() => undefined)
  }

  /** Posts the line; says why it was not taken for sure. */
  async #post(number: number): Promise<string | undefined> {
    const body = `<190>1 ${formatLogTime(new Date())} host ${this.#token} round - - n=${number}`
    const authorization = `Basic ${Buffer.from(`token:${this.#token}`).toString('base64')}`
    try {
      const { status } = await fetch(this.#deps.inputUrl, {
        method: 'POST',
        body: `${body.length} ${body}`,
        headers: { authorization, 'content-type': 'application/logplex-1' },
        signal: AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(canaryPostMs)]),
      })
      if (status === 204) return undefined
      if (status === 202) return 'a line waits for Redis'
      return `POST /logs answered ${status}`
    } catch (error) {
      return `POST /logs was not answered: ${(error as Error).message}`
    }
  }

  async #keepForAWhile(): Promise<void> {
    const { redis } = this.#deps
    await expireLog(redis, this.#appId, canaryKeptSeconds)
    if (this.#drain) await expireCursor(redis, this.#drain.id, canaryKeptSeconds)
  }

  /** Compares the drain's account with what was sent and what its receiver has. */
  async #accountFault(): Promise<string | undefined> {
    const { sent } = this
    const arrived = this.#drained.count
    const endMs = performance.now() + this.#deps.waitMs
    while (!this.#stopping.signal.aborted) {
      if (!this.#drains || !this.#drain) return 'the drain was not started'
      const { received, delivered, pending, dropped } = await this.#drains.state(this.#drain)
      if (received === sent && delivered === arrived && pending + dropped === 0) return undefined
      // The receiver has a batch a moment before the cursor moves.
      if (performance.now() < endMs) await new Promise((done) => setTimeout(done, canaryPollMs))
      else
        return (
          `of ${sent} lines sent and ${arrived} arrived the drain's account says: ${received} ` +
          `received, ${delivered} delivered, ${pending} pending, ${dropped} dropped`
        )
    }
    return undefined
  }
}

function faultOf(where: string, numbers: NumberRun, ms: number | undefined): string | undefined {
  if (numbers.fault) return `${numbers.fault} of ${where}`
  if (ms === undefined) return `a line did not come out of ${where} in time`
  return undefined
}
