import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '#lib/backoff.ts'
import type { Log } from '#lib/log.ts'
import type { AppLog } from '../app-log/app-log.ts'
import type { LogSession } from '../log-session.ts'
import { formatLogTime } from '../log-time.ts'
import type { Switches } from '../switches.ts'
import { logUnavailableLine, patternTooSlowLine, tailForbiddenLine, tailLossLine } from '../loss.ts'
import { watchGrowth } from './growth.ts'
import { findStart } from './history.ts'
import type { TailLimits } from './limits.ts'
import { lineFilter, type LineFilter } from './line-filter.ts'
import { PatternTooSlow, type MessageTest } from './pattern.ts'
import { lastNumber, renderLines, timeOfFirstLine } from './render.ts'
import type { TailFeed } from './tail-feed.ts'
import type { TailFormat } from './tail-format.ts'

export type TailOptions = {
  session: LogSession
  /** Number of the newest line that the client has; undefined: begin with the session's history. */
  after: number | undefined
  format: TailFormat
  /** Resolves when the system has taken the bytes, so that a slow reader slows only itself. */
  send: (bytes: Buffer) => Promise<void>
  signal: AbortSignal
  switches: Switches
  appLog: AppLog
  feed: TailFeed
  testOf: (pattern: string) => MessageTest
  limits: TailLimits
  log: Log
}

const readBackoff = { firstMs: 100, maxMs: 5_000 }

/**
 * Runs one tail to its end: a cursor in the app's log that reads only when its client has taken
 * what it read before. It keeps no queue: while the client is slow the log moves on, and when the
 * buffer has moved past the cursor the numbers say how many lines that were (L11).
 *
 * @returns true when all is said (no tail, or a pattern that takes too long); false when it was cut
 * short by the signal or because the log could not be read, which it has said then.
 */
export async function runTail(options: TailOptions): Promise<boolean> {
  const { session, format, signal, appLog, limits, log } = options
  const filter = lineFilter(session, options.testOf)
  const growth = watchGrowth(appLog, session.appId)
  const onAbort = (): void => growth.end()
  signal.addEventListener('abort', onAbort)
  let next = (options.after ?? 0) + 1
  try {
    const greeting = format.greeting(session.tail)
    if (greeting) await options.send(greeting)
    if (session.tail && options.switches.isOff('tails', session.appId)) {
      await options.send(forbidden(options))
      return true
    }
    const start = await begin(options, filter)
    next = start.from
    let since = ''
    let failures = 0
    while (!signal.aborted && (session.tail || next <= start.head)) {
      try {
        const step = await advance(options, filter, { next, since, to: start.head })
        failures = 0
        if (step) {
          if (step.next < next) growth.forget()
          next = step.next
          since = step.since
          if (session.tail) await delay(limits.flushMsMin)
          continue
        }
      } catch (error) {
        if (signal.aborted) return false
        if (error instanceof PatternTooSlow) throw error
        log.warn({ err: error, app: session.appId }, 'tail could not read the log')
        await growth.waitPast(Infinity, backoffMs(++failures, readBackoff))
        continue
      }
      if (!session.tail) return true
      if (await growth.waitPast(next - 1, limits.heartbeatSeconds * 1_000)) continue
      if (!signal.aborted) await options.send(format.heartbeat(next - 1))
    }
    return !signal.aborted
  } catch (error) {
    if (signal.aborted) return false
    if (error instanceof PatternTooSlow) {
      await options.send(format.notice(next - 1, patternTooSlowLine(error.message)))
      return true
    }
    log.warn({ err: error, app: session.appId }, 'tail ended early')
    const notice = format.unavailable(logUnavailableLine())
    if (notice) await options.send(notice)
    return false
  } finally {
    signal.removeEventListener('abort', onAbort)
    growth.end()
  }
}

/** Of a number only to who has one: it is to have its lines when it may follow again. */
function forbidden({ format, after }: TailOptions): Buffer {
  const text = tailForbiddenLine()
  const unnumbered = after === undefined ? format.unavailable(text) : undefined
  return unnumbered ?? format.notice(after ?? 0, text)
}

/** Where the tail starts to read, and the head up to which it reads when it does not follow. */
async function begin(
  { session, after, appLog, limits, switches }: TailOptions,
  filter: LineFilter,
): Promise<{ from: number; head: number }> {
  if (after === undefined) {
    const isOff = switches.isOff('history', session.appId)
    const lines = isOff ? 0 : Math.min(session.lines, limits.historyLinesMax)
    return findStart(appLog, session.appId, filter, lines, limits.batchBytesMax)
  }
  const { oldest, head } = await appLog.bounds(session.appId)
  // A number that the log has not reached is from before it was lost and began anew.
  return { from: after > head ? oldest : after + 1, head }
}

/** Reads and sends what there is from `next` on; undefined when there is nothing. */
async function advance(
  { session, format, send, feed }: TailOptions,
  filter: LineFilter,
  { next, since, to }: { next: number; since: string; to: number },
): Promise<{ next: number; since: string } | undefined> {
  const reading = await feed.read(session.appId, next)
  const { chunks, bounds } = reading
  const first = chunks[0]
  if (!first && bounds.head < next - 1) return { next: bounds.oldest, since }
  const available = first ? first.first : bounds.oldest
  if (available > next) {
    const firstLost = since || (first ? timeOfFirstLine(first) : formatLogTime(new Date()))
    const loss = { count: available - next, since: firstLost }
    await send(format.notice(available - 1, tailLossLine(loss)))
  }
  const last = chunks.at(-1)
  if (!first || !last) return available > next ? { next: available, since } : undefined
  // Who does not follow gets as many lines as were asked for, and none that came since.
  const { bytes, lines } = session.tail
    ? reading.render(filter, format)
    : renderLines(chunks, next, filter, format, to)
  if (lines > 0) await send(bytes)
  return { next: lastNumber(chunks) + 1, since: timeOfFirstLine(last) }
}
