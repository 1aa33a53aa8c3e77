import { createHash } from 'node:crypto'
import type { FastifyInstance, onSendAsyncHookHandler, preHandlerAsyncHookHandler } from 'fastify'
import { ApiRefusal } from '../api-refusal.ts'
import { renderError } from '../render-error.ts'

/** A strong entity tag of a body. */
function etagOf(body: string): string {
  return `"${createHash('sha256').update(body).digest('base64url').slice(0, 32)}"`
}

/** Whether an If-Match or If-None-Match header names the tag; weak comparison. */
function names(header: string, etag: string): boolean {
  const tags = header.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags.includes('*') || tags.includes(etag)
}

const preconditionFailed = (): ApiRefusal =>
  new ApiRefusal(
    'precondition_failed',
    'It has changed since you read it (If-Match). Read it again, then decide.',
  )

/** Tags every good answer with a body, and answers 304 or 412 to conditional reads. */
export const tagAnswer: onSendAsyncHookHandler = async (request, reply, payload) => {
  if (typeof payload !== 'string' || reply.statusCode < 200 || reply.statusCode > 299)
    return payload
  const etag = etagOf(payload)
  reply.header('ETag', etag)
  if (request.method !== 'GET' && request.method !== 'HEAD') return payload
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = request.headers
  if (ifMatch !== undefined && !names(ifMatch, etag)) {
    const { status, body } = renderError(preconditionFailed())
    reply.code(status)
    return JSON.stringify(body)
  }
  if (ifNoneMatch !== undefined && names(ifNoneMatch, etag)) {
    reply.code(304)
    return ''
  }
  return payload
}

/**
 * Refuses a conditional write whose If-Match no longer names what GET on the same path answers.
 * It guards against writing on a stale read, not against two writes at the same instant.
 */
export function checkIfMatch(api: FastifyInstance): preHandlerAsyncHookHandler {
  return async (request) => {
    const ifMatch = request.headers['if-match']
    if (ifMatch === undefined || request.method === 'GET' || request.method === 'HEAD') return
    const { accept, authorization } = request.headers
    const current = await api.inject({
      method: 'GET',
      url: request.url,
      headers: { accept, authorization },
    })
    const { etag } = current.headers
    if (typeof etag !== 'string' || !names(ifMatch, etag)) throw preconditionFailed()
  }
}
