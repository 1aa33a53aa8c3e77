import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Log } from '#lib/log.ts'
import { postAppendWaitMs } from '../limits.ts'
import type { FindCredential } from '../credential.ts'
import type { IngestCounters } from './counters.ts'
import { learnTokens, oneRoute, routesByToken, type FrameRoutes } from './frame-routes.ts'
import type { Intake } from './intake.ts'
import { checkBody, forEachMessage } from './logs-body.ts'
import { postId } from './post-id.ts'
import { NoRoom, readBody, Refusal, type BytesInFlight } from './post-body.ts'
import { findSender, notAuthorized, type Sender } from './sender.ts'
import { LookupsUsedUp, type TokenLookup } from './token-lookup.ts'
import type { TokenTable } from './token-table.ts'

export type LogsHttpOptions = {
  intake: Intake
  lookup: TokenLookup
  tokens: TokenTable
  findCredential: FindCredential
  counters: IngestCounters
  inFlight: BytesInFlight
  log: Log
}

const contentTypes = new Set(['application/logplex-1', 'application/x-logplex-1'])
const otherMethods = ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

/**
 * POST /logs, as Logplex's HTTP input answers:
 * 204 all lines are in the log; 202 (ours) they are accepted and held in memory because Redis is
 * away; 400, 401, 403, 405, 413, 415, 503 (switched off) nothing was taken, and why. When there is
 * no room even to hold them, or the token cannot be looked up now, the connection is closed without
 * an answer: log-shuttle, the standard sender, tries again after a broken connection, and silently
 * loses a batch that is answered with any 4xx or 5xx. For the same reason lines that come too fast
 * are dropped and counted of a post that is answered 204: the app's log tells of them (L16). A post
 * that says which it is (post-id.ts) and comes again, here or to another process, adds only what of
 * it is not in the log.
 */
export function registerLogsHttp(server: FastifyInstance, options: LogsHttpOptions): void {
  void server.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers()
    // The handler reads the body itself, counting what comes.
    scope.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null))
    scope.setErrorHandler((error, _request, reply) => answerError(error, reply, options.log))
    for (const url of ['/logs', '/logs/']) {
      scope.route({ method: [...otherMethods], url, handler: refuseMethod })
      scope.route({
        method: 'POST',
        url,
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

/** Logplex's order: who is it, what is it; the sender waits in the request for the handler. */
async function authenticate(
  request: FastifyRequest,
  reply: FastifyReply,
  { intake, lookup, findCredential, log }: LogsHttpOptions,
): Promise<void> {
  const { authorization } = request.headers
  try {
    senders.set(request, await findSender(authorization, lookup, findCredential))
  } catch (error) {
    if (error instanceof Refusal) throw error
    closeUnknown(error, request, reply, log)
    return
  }
  const sender = senders.get(request)
  const appId = sender && 'route' in sender ? sender.route.appId : undefined
  if (intake.switches.isOff('ingest', appId))
    throw new Refusal(503, 'Log input is switched off by the operator.')
  if (!contentTypes.has(request.headers['content-type'] ?? ''))
    throw new Refusal(415, 'Unsupported Media Type: send application/logplex-1')
  if (hasNoRoom(intake, sender)) closeConnection(request, reply)
}

/** For anybody's lines, or for those of the one app that the sender has lines of. */
function hasNoRoom(intake: Intake, sender: Sender | undefined): boolean {
  if (intake.heldBack) return true
  return sender !== undefined && 'route' in sender && intake.isFull(sender.route)
}

const senders = new WeakMap<FastifyRequest, Sender>()

async function receiveLogs(
  request: FastifyRequest,
  reply: FastifyReply,
  options: LogsHttpOptions,
): Promise<FastifyReply> {
  const { intake, inFlight } = options
  const sender = senders.get(request)
  if (!sender) throw new Error('a request came past its authentication')
  let routes: FrameRoutes
  try {
    routes = await inFlight.hold(async (take) =>
      takeBody(sender, await readBody(request.raw, take), request, options),
    )
  } catch (error) {
    if (error instanceof Refusal) throw error
    if (error instanceof NoRoom) closeConnection(request, reply)
    else closeUnknown(error, request, reply, options.log)
    return reply
  }
  for (const route of routes.used()) intake.hurry(route)
  const waits = [...routes.used()].map((route) => intake.settled(route, postAppendWaitMs))
  const fates = new Set(await Promise.all(waits))
  // The app was destroyed, and its token with it: the next post would hear the same.
  if ('route' in sender && fates.has('removed')) throw notAuthorized()
  if (fates.has('closed')) {
    closeConnection(request, reply)
    return reply
  }
  return reply.code(fates.has('waiting') ? 202 : 204).send()
}

/** Gives the lines of the body to the intake, or throws; answers where they went. */
async function takeBody(
  sender: Sender,
  body: Uint8Array,
  request: FastifyRequest,
  { intake, lookup, tokens, counters }: LogsHttpOptions,
): Promise<FrameRoutes> {
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
  const id = postId(request.headers, body)
  if ('anyChannel' in sender) await learnTokens(body, tokens, lookup)
  // Much may have come while the body did.
  if (hasNoRoom(intake, sender)) throw new NoRoom('too many lines wait for redis')
  const routes = 'route' in sender ? oneRoute(sender.route, id) : routesByToken(tokens, id)
  counters.received += check.frames + check.unfinished
  counters.malformed += check.unfinished
  let dropped = 0
  forEachMessage(body, (bytes, message) => {
    const route = routes.routeOf(bytes, message)
    if (!route) counters.unknownToken++
    else if (!intake.add(route, bytes, message, routes.postOf(route))) dropped++
  })
  if (dropped > 0) throw new NoRoom(`no room for ${dropped} lines of a post`)
  return routes
}

/** Nobody can say now whose it is: it is to be sent again. */
function closeUnknown(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  log: Log,
): void {
  if (error instanceof LookupsUsedUp) log.debug({ err: error }, 'token is not looked up')
  else log.warn({ err: error }, 'sender could not be looked up')
  closeConnection(request, reply)
}

function closeConnection(request: FastifyRequest, reply: FastifyReply): void {
  reply.hijack()
  request.raw.socket.destroy()
}

function answerError(error: unknown, reply: FastifyReply, log: Log): FastifyReply {
  const refusal = asRefusal(error)
  if (!refusal) {
    log.error({ err: error }, 'post of logs failed')
    return reply.code(500).type('text/plain').send('')
  }
  if (refusal.statusCode === 401) reply.header('www-authenticate', 'Basic realm=Logplex')
  // What of the body has not been read stays unread: the connection cannot be used again.
  if (refusal.statusCode !== 400) reply.header('connection', 'close')
  return reply.code(refusal.statusCode).type('text/plain').send(refusal.message)
}

function asRefusal(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined
  return typeof status === 'number' && status < 500 ? new Refusal(status, 'Bad request') : undefined
}
