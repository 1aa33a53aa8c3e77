import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { requestIdCharsMax } from '../limits.ts'

const plain = /^[\w\-.,: ]+$/

/**
 * The caller's own Request-Id, which may be a comma list of several (the CLI appends to it while
 * it polls), or a new one.
 */
export function requestId({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const given = headers['request-id']
  if (typeof given !== 'string' || given.length > requestIdCharsMax || !plain.test(given))
    return randomUUID()
  return given
}
