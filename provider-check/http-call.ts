import { request as httpRequest, type ClientRequest, type IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { limits } from './limits.ts'

/** One request, whole but for its connection. */
export type HttpCall = {
  method: string
  url: string
  headers: Record<string, string>
  body?: string
}

export type HttpAnswer = {
  answered: true
  status: number
  headers: IncomingHttpHeaders
  text: string
  /** The body as JSON; undefined where it is none. */
  json: unknown
  ms: number
}

/** `timeout`, `too-large` and `interrupted` are of this side; `failed` is what the network says. */
type NoAnswer = {
  answered: false
  why: 'timeout' | 'too-large' | 'failed' | 'interrupted'
  /** A sentence without its full stop. */
  detail: string
  ms: number
}

export type CallOutcome = HttpAnswer | NoAnswer

/**
 * Sends one request byte for byte as it is given, on a connection of its own, and reads the whole
 * answer within `timeoutMs`. Redirects are answers. Never throws.
 */
export function sendCall(
  call: HttpCall,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<CallOutcome> {
  const since = performance.now()
  const took = (): number => Math.round(performance.now() - since)
  return new Promise((resolve) => {
    const request = open(call)
    const giveUp = (why: NoAnswer['why'], detail: string): void => {
      resolve({ answered: false, why, detail, ms: took() })
      finish()
      request.destroy()
    }
    const timer = setTimeout(
      () => giveUp('timeout', `no whole answer within ${timeoutMs / 1000} s`),
      timeoutMs,
    )
    const interrupt = (): void => giveUp('interrupted', 'interrupted')
    const finish = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', interrupt)
    }
    request.on('error', (error) => giveUp('failed', describeError(error)))
    request.once('response', (response) => {
      const parts: Buffer[] = []
      let bytes = 0
      response.on('data', (part: Buffer) => {
        bytes += part.length
        if (bytes > limits.answerBytesMax)
          giveUp('too-large', `an answer of more than ${limits.answerBytesMax} bytes`)
        else parts.push(part)
      })
      response.once('error', (error) => giveUp('failed', describeError(error)))
      response.once('end', () => {
        finish()
        const text = Buffer.concat(parts).toString('utf8')
        const { statusCode: status = 0, headers } = response
        resolve({ answered: true, status, headers, text, json: parse(text), ms: took() })
      })
    })
    if (signal.aborted) return interrupt()
    signal.addEventListener('abort', interrupt)
    request.end(call.body)
  })
}

/** Sends one request and closes the connection once it is written: the reply is lost. */
export function sendAndHangUp(
  call: HttpCall,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<void> {
  return new Promise((resolve) => {
    const request = open(call)
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      request.destroy()
      resolve()
    }
    const timer = setTimeout(end, timeoutMs)
    if (signal.aborted) return end()
    signal.addEventListener('abort', end)
    request.on('error', end).once('response', end).once('finish', end)
    request.end(call.body)
  })
}

function open({ method, url, headers, body }: HttpCall): ClientRequest {
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  const options = { method, headers: { ...headers, ...length }, agent: false }
  return url.startsWith('https:') ? httpsRequest(url, options) : httpRequest(url, options)
}

function describeError(error: NodeJS.ErrnoException): string {
  if (error.code === 'ECONNREFUSED') return 'nothing listens there (connection refused)'
  if (error.code === 'ENOTFOUND') return 'the name of its host is not known'
  if (error.code === 'ECONNRESET') return 'the connection was closed before an answer'
  return error.message || error.code || 'the connection failed'
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
