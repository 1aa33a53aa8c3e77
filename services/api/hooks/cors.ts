import type { onRequestAsyncHookHandler } from 'fastify'

const exposed = [
  'Accept-Ranges',
  'Content-Range',
  'ETag',
  'Heroku-Webhook-Secret',
  'Last-Modified',
  'Next-Range',
  'RateLimit-Remaining',
  'Request-Id',
]
const preflightSecondsMax = 86_400

/**
 * Lets pages of any origin call the API: a call's only authority is the token in its header, which
 * no browser adds by itself.
 */
export const cors: onRequestAsyncHookHandler = async (request, reply) => {
  reply.header('Access-Control-Allow-Origin', '*')
  if (request.method !== 'OPTIONS') {
    reply.header('Access-Control-Expose-Headers', exposed.join(', '))
    return
  }
  const asked = request.headers['access-control-request-headers']
  reply
    .header('Access-Control-Allow-Methods', 'GET, HEAD, POST, PUT, PATCH, DELETE')
    .header('Access-Control-Allow-Headers', asked ?? 'Accept, Authorization, Content-Type')
    .header('Access-Control-Max-Age', preflightSecondsMax)
  await reply.code(204).send()
}
