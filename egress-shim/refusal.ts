import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Limits } from './limits.ts'

/** An answer of the shim's own, in the shape of Heroku's errors, that says what to do next. */
export type Refusal = { status: number; id: string; message: string }

/** Answers a request; its body is read and dropped, so that the client gets to read the answer. */
export function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  { status, id, message }: Refusal,
): void {
  request.resume()
  const body = JSON.stringify({ id, message })
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    ...(status === 405 && { Allow: 'CONNECT' }),
  })
  response.end(body)
}

/** The same where there is no request to answer: a CONNECT, or bytes that are no HTTP. */
export function refuseSocket(
  socket: Socket,
  { status, id, message }: Refusal,
  { refusedMs }: Limits,
): void {
  const timer = setTimeout(() => socket.destroy(), refusedMs)
  socket.once('close', () => clearTimeout(timer))
  // Closed with bytes unread, the connection would be reset, and the answer lost with it.
  socket.resume()
  const body = JSON.stringify({ id, message })
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
}

/** What became of a connection to `where`: 504 when it took too long, else 502. */
export function unreachable(where: string, error: NodeJS.ErrnoException, next: string): Refusal {
  const late = error.code === 'ETIMEDOUT'
  const why = error.code ?? error.message
  return {
    status: late ? 504 : 502,
    id: late ? 'gateway_timeout' : 'bad_gateway',
    message: `${where} cannot be reached (${why}). ${next}`,
  }
}
