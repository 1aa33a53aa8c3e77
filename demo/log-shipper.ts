import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '#lib/backoff.ts'

/** Sends lines to `POST /logs` as they come, in batches, in order. */
export type LogShipper = {
  ship: (process: string, line: string) => void
  /** Sends what is left, within the deadline. */
  close: (deadlineMs: number) => Promise<void>
}

export type LogInput = {
  /** "http://token:t.…@host:port/logs" */
  url: string
  /** The APP-NAME of its lines: "app" or "heroku". */
  source: string
  /** The syslog priority: 190 for an app's output, 45 for the dyno manager's words. */
  priority: number
}

const batchLinesMax = 200
/** Beyond these the oldest waiting lines are dropped, counted, and told in the log itself. */
const waitingLinesMax = 2_000
/** Longer lines go as several, as Heroku's own shippers do it. */
const lineBytesMax = 10_000
const retry = { firstMs: 100, maxMs: 5_000 }
const requestTimeoutMs = 10_000

export function createLogShipper(input: LogInput, report: (text: string) => void): LogShipper {
  const { username, password, origin, pathname } = new URL(input.url)
  const headers = {
    'content-type': 'application/logplex-1',
    authorization: `Basic ${btoa(`${username}:${password}`)}`,
  }
  const closing = new AbortController()
  let waiting: Buffer[] = []
  let dropped = 0
  let sending: Promise<void> | undefined

  const post = async (batch: Buffer[]): Promise<void> => {
    const response = await fetch(`${origin}${pathname}`, {
      method: 'POST',
      headers: { ...headers, 'logplex-msg-count': String(batch.length) },
      body: new Uint8Array(Buffer.concat(batch)),
      signal: AbortSignal.timeout(requestTimeoutMs),
    })
    if (response.ok) return
    const text = `POST /logs answered ${response.status}: ${await response.text()}`
    // The same request would be refused again.
    if (response.status < 500 && response.status !== 429)
      return report(`${batch.length} lines refused: ${text}`)
    throw new Error(text)
  }

  const sendAll = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, batchLinesMax)
      if (dropped > 0) {
        batch.unshift(frame(input, 'log-shipper', `${dropped} lines were dropped before this one`))
        dropped = 0
      }
      for (let tries = 1; ; tries++) {
        try {
          await post(batch)
          break
        } catch (error) {
          if (closing.signal.aborted) return report(`lines were lost: ${(error as Error).message}`)
          report(`try ${tries} failed: ${(error as Error).message}`)
          await delay(backoffMs(tries, retry), undefined, { signal: closing.signal }).catch(
            () => undefined,
          )
        }
      }
    }
  }

  return {
    ship: (process, line) => {
      for (const piece of pieces(line)) waiting.push(frame(input, process, piece))
      if (waiting.length > waitingLinesMax) {
        dropped += waiting.length - waitingLinesMax
        waiting = waiting.slice(-waitingLinesMax)
      }
      // What comes while a batch is under way makes the next one.
      sending ??= Promise.resolve()
        .then(sendAll)
        .finally(() => (sending = undefined))
    },
    close: async (deadlineMs) => {
      const timer = setTimeout(() => closing.abort(), deadlineMs)
      await sending
      clearTimeout(timer)
    },
  }
}

function* pieces(line: string): Generator<Buffer> {
  const bytes = Buffer.from(line)
  for (let start = 0; start === 0 || start < bytes.length; start += lineBytesMax)
    yield bytes.subarray(start, start + lineBytesMax)
}

/** One octet-counted RFC 5424 message. */
function frame(input: LogInput, process: string, text: Buffer | string): Buffer {
  const time = new Date().toISOString().replace('Z', '000+00:00')
  const head = `<${input.priority}>1 ${time} host ${input.source} ${process} - - `
  const body = Buffer.concat([Buffer.from(head), Buffer.from(text)])
  return Buffer.concat([Buffer.from(`${body.length} `), body])
}
