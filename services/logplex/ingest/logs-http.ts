import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Log } from '#lib/log.ts'
import { postAppendWaitMs, postBytesMax } from '../limits.ts'
import type { IngestCounters } from './counters.ts'
import type { Intake } from './intake.ts'
import { checkBody, forEachMessage } from './logs-body.ts'
import type { TokenLookup } from './token-lookup.ts'
import type { TokenRoute } from './token-table.ts'

export type LogsHttpOptions = {
  intake: Intake
  lookup: TokenLookup
  counters: IngestCounters
  log: Log
}

const contentTypes = new Set(['application/logplex-1', 'application/x-logplex-1'])
const otherMethods = ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const
const unzip = promisify(gunzip)

/** Refusals are plain text, in Logplex's words. */
class Refusal extends Error {
  readonly statusCode: number

  constructor(statusCode: number, message: string) {
    super(message)
    this.statusCode = statusCode
  }
}

/**
 * POST /logs, as Logplex's HTTP input answers:
 * 204 all lines are in the log; 202 (ours) they are accepted and held in memory because Redis is
 * away; 400, 401, 405, 413, 415 nothing was taken, and why. When there is no room even to hold
 * them the connection is closed without an answer: log-shuttle, the standard sender, tries again
 * after a broken connection, and silently loses a batch that is answered with any 4xx or 5xx.
 */
export function registerLogsHttp(server: FastifyInstance, options: LogsHttpOptions): void {
  void server.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, parsed) =>
      parsed(null, body),
    )
    scope.setErrorHandler((error, _request, reply) => answerError(error, reply, options.log))
    for (const url of ['/logs', '/logs/']) {
      scope.route({ method: [...otherMethods], url, handler: refuseMethod })
      scope.route({
        method: 'POST',
        url,
        bodyLimit: postBytesMax,
        // Before the body is read: who may not send does not get to fill our memory.
        onRequest: (request, reply) => authenticate(request, reply, options),
        handler: (request, reply) => receiveLogs(request, reply, options),
      })
    }
    done()
  })
  server.get('/healthcheck', (_request, reply) => reply.type('text/plain').send('OK'))
}

function refuseMethod(_request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return reply.code(405).header('allow', 'POST').type('text/plain').send('Method Not Allowed')
}

/** Logplex's order: who is it, what is it; the route waits in the request for the handler. */
async function authenticate(
  request: FastifyRequest,
  reply: FastifyReply,
  { intake, lookup, log }: LogsHttpOptions,
): Promise<void> {
  const token = readToken(request.headers.authorization)
  let route: TokenRoute | undefined
  try {
    route = token === undefined ? undefined : await lookup.route(token)
  } catch (error) {
    log.warn({ err: error }, 'token could not be looked up')
    closeConnection(request, reply)
    return
  }
  if (!route) {
    reply.header('www-authenticate', 'Basic realm=Logplex')
    throw new Refusal(401, 'Not Authorized')
  }
  if (!contentTypes.has(request.headers['content-type'] ?? ''))
    throw new Refusal(415, 'Unsupported Media Type: send application/logplex-1')
  if (intake.heldBack) closeConnection(request, reply)
  routes.set(request, route)
}

const routes = new WeakMap<FastifyRequest, TokenRoute>()

async function receiveLogs(
  request: FastifyRequest,
  reply: FastifyReply,
  { intake, counters }: LogsHttpOptions,
): Promise<FastifyReply> {
  const route = routes.get(request)
  if (!route) throw new Error('a request came past its authentication')
  const body = await readBody(request)
  const check = checkBody(body)
  if (!check.ok) {
    counters.received++
    counters.malformed++
    const { frame, byte, reason } = check
    throw new Refusal(400, `Malformed log messages: frame ${frame}, at byte ${byte}: ${reason}.`)
  }
  const told = request.headers['logplex-msg-count']
  if (told !== undefined && told !== String(check.frames))
    throw new Refusal(400, `Message count mismatch: ${check.frames} frames came.`)
  counters.received += check.frames + check.unfinished
  counters.malformed += check.unfinished
  forEachMessage(body, (bytes, message) => intake.add(route, bytes, message))
  const kept = await intake.settled(route, postAppendWaitMs)
  return reply.code(kept ? 204 : 202).send()
}

async function readBody(request: FastifyRequest): Promise<Uint8Array> {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (encoding === 'identity') return body
  if (encoding !== 'gzip') throw new Refusal(415, 'Unsupported Content-Encoding: gzip is')
  try {
    return await unzip(body, { maxOutputLength: postBytesMax })
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge()
    throw new Refusal(400, 'Bad request: the body is not gzip as its Content-Encoding says.')
  }
}

/** The token of `Basic base64("token:t.…")` or `Bearer t.…`. */
function readToken(authorization: string | undefined): string | undefined {
  const [scheme, credentials = ''] = (authorization ?? '').split(' ')
  if (scheme?.toLowerCase() === 'bearer') return credentials
  if (scheme?.toLowerCase() !== 'basic') return undefined
  const [user, token] = Buffer.from(credentials, 'base64').toString('latin1').split(':')
  return user === 'token' ? token : undefined
}

function closeConnection(request: FastifyRequest, reply: FastifyReply): void {
  reply.hijack()
  request.raw.socket.destroy()
}

function tooLarge(): Refusal {
  return new Refusal(413, `Payload Too Large: a post may hold ${postBytesMax} bytes.`)
}

function answerError(error: unknown, reply: FastifyReply, log: Log): FastifyReply {
  const refusal = asRefusal(error)
  if (!refusal) {
    log.error({ err: error }, 'post of logs failed')
    return reply.code(500).type('text/plain').send('')
  }
  // What of the body has not been read stays unread: the connection cannot be used again.
  if (refusal.statusCode !== 400) reply.header('connection', 'close')
  return reply.code(refusal.statusCode).type('text/plain').send(refusal.message)
}

function asRefusal(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined
  if (status === 413) return tooLarge()
  return typeof status === 'number' && status < 500 ? new Refusal(status, 'Bad request') : undefined
}
