import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { backoffMs } from '#lib/backoff.ts'
import { ApiError, platformApi, type ApiAccess } from './platform-api.ts'

/** One line of an app's log. */
export type LogLine = {
  /** Of the line in the app's log: later ones have greater ones. */
  number: number
  /** As it is shown: RFC 3339 to the microsecond, unless the sender wrote something else. */
  time: string
  source: string
  dyno: string
  /** May hold newlines; ends with none. */
  message: string
}

/** Which lines, as the API takes them; a line passes all that are given. */
export type LogFilters = {
  source?: string
  /** "web.1", or the type "web". */
  dyno?: string
  /** Text that the message holds. */
  match?: string
  /** Regular expression (RE2) that the message holds a match of. */
  pattern?: string
  /** RFC 3339, or how long ago: "10m". */
  since?: string
  until?: string
}

export type LogStreamOptions = ApiAccess & {
  app: string
  /** How many of the newest lines come first. */
  lines: number
  /** Go on with lines as they come, until `signal`. */
  tail: boolean
  filters?: LogFilters
  signal: AbortSignal
  onLine: (line: LogLine) => void
  /** Told at each try after which another one is made. */
  onRetry?: (why: string) => void
  /** Told when a connection is there, the first one or one that was lost. */
  onConnected?: () => void
}

type Ending = { code: number; reason: string }

const retry = { firstMs: 250, maxMs: 5_000 }
/** The server sends a heartbeat more often; a silent connection is a dead one. */
const silenceMaxMs = 75_000
const messageBytesMax = 16 * 1024 * 1024
const closedForGood = 1000

/**
 * An app's log over WebSocket, line by line. With `tail`, lost connections are taken up again after
 * the last line that came, in the same session or, when that has ended, in a new one.
 *
 * @throws ApiError when the API refuses; without `tail`, Error when a connection fails.
 */
export async function streamLogs(options: LogStreamOptions): Promise<void> {
  const { signal } = options
  let url: string | undefined
  let after: number | undefined
  let tries = 0
  while (!signal.aborted) {
    try {
      url ??= await openSession(options, after === undefined ? options.lines : 0)
      const { code, reason } = await readSession(url, after, options, (number) => {
        after = number
        tries = 0
      })
      if (signal.aborted || code === closedForGood) return
      throw new Error(reason || `closed with ${code}`)
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof ApiError && error.status < 500 && error.status !== 429) throw error
      if (!options.tail) throw error
      if (error instanceof SessionGone) url = undefined
      else options.onRetry?.((error as Error).message)
      tries++
      await delay(backoffMs(tries, retry), undefined, { signal }).catch(() => undefined)
    }
  }
}

/** The line as `heroku logs` shows it. */
export function lineText({ time, source, dyno, message }: LogLine): string {
  return `${time} ${source}[${dyno}]: ${message}`
}

class SessionGone extends Error {
  override readonly message = 'the log session has ended: try again'
}

async function openSession(options: LogStreamOptions, lines: number): Promise<string> {
  const { app, tail, filters, signal } = options
  const session = await platformApi(options)<{ logplex_url: string }>(
    'POST',
    `/apps/${encodeURIComponent(app)}/log-sessions`,
    { body: { lines, tail, ...filters }, signal },
  )
  return session.logplex_url
}

function readSession(
  sessionUrl: string,
  after: number | undefined,
  { signal, onLine, onConnected }: LogStreamOptions,
  onNumber: (number: number) => void,
): Promise<Ending> {
  const url = new URL(sessionUrl)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  url.searchParams.set('format', 'json')
  if (after !== undefined) url.searchParams.set('after', String(after))
  const socket = new WebSocket(url, { maxPayload: messageBytesMax, handshakeTimeout: 10_000 })
  const cut = (): void => socket.terminate()
  let silence = setTimeout(cut, silenceMaxMs)
  signal.addEventListener('abort', cut, { once: true })
  return new Promise<Ending>((done, failed) => {
    socket.on('open', () => onConnected?.())
    socket.on('message', (data: Buffer) => {
      clearTimeout(silence)
      silence = setTimeout(cut, silenceMaxMs)
      const [number = '', ...lines] = data.toString('utf8').split('\n')
      // Each line is ended by a newline, so the last piece is empty.
      for (const line of lines.slice(0, -1)) onLine(JSON.parse(line) as LogLine)
      if (/^\d+$/.test(number)) onNumber(Number(number))
    })
    socket.on('unexpected-response', (request, response) => {
      request.destroy()
      const status = response.statusCode ?? 0
      failed(status === 404 ? new SessionGone() : new Error(`HTTP ${status}`))
    })
    socket.on('error', failed)
    socket.on('close', (code, reason) => done({ code, reason: reason.toString('utf8') }))
  }).finally(() => {
    clearTimeout(silence)
    signal.removeEventListener('abort', cut)
  })
}
