import type { IncomingMessage } from 'node:http'

const overridable = new Set(['GET', 'PUT', 'PATCH', 'DELETE'])

/**
 * Lets a client that can only POST say the method it means in X-Http-Method-Override. It has to
 * happen before the router looks, and Fastify's one step before that is the rewriting of the URL.
 */
export function overrideMethod(request: IncomingMessage): string {
  const wanted = request.headers['x-http-method-override']
  if (request.method === 'POST' && typeof wanted === 'string') {
    const method = wanted.toUpperCase()
    if (overridable.has(method)) request.method = method
  }
  return request.url ?? '/'
}
