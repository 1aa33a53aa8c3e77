import { hash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { crc32 } from 'node:zlib'

/**
 * What a post of lines is known by when it comes again: who sent it, the id that it was given
 * (`Logplex-Frame-Id` of a drain, else `X-Request-Id` of log-shuttle), and its bytes. A sender that
 * gives every post the same id loses nothing by it, unless the lines are the same as well.
 *
 * @returns undefined when it has no id.
 */
export function postId(headers: IncomingHttpHeaders, body: Uint8Array): string | undefined {
  const id = headers['logplex-frame-id'] ?? headers['x-request-id']
  if (id === undefined || id === '') return undefined
  const what = `${headers.authorization}\n${String(id)}\n${body.length}\n${crc32(body)}`
  // Kept in Redis for each post: short, and of one length whatever the sender's id is.
  return hash('sha256', what, 'base64url').slice(0, idLength)
}

/** 132 bits. */
const idLength = 22
