import { isUtf8 } from 'node:buffer'
import { setTimeout as delay } from 'node:timers/promises'
import fastifyWebsocket from '@fastify/websocket'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import { parseId, type SessionId } from '#lib/ids.ts'
import type { Log } from '#lib/log.ts'
import type { AppLog } from '../app-log/app-log.ts'
import type { FindRevocations, FindSession, LogSession } from '../log-session.ts'
import type { Switches } from '../switches.ts'
import { chunked } from './chunked.ts'
import { tailLimits, type TailLimits } from './limits.ts'
import { createOpenTails, type OpenTails } from './open-tails.ts'
import { createPatterns, type MessageTest } from './pattern.ts'
import { sse } from './sse.ts'
import type { TailFormat } from './tail-format.ts'
import { createTailFeed, type TailFeed } from './tail-feed.ts'
import { runTail } from './tail.ts'
import { websocketJson, websocketText } from './websocket.ts'

export type TailsDeps = {
  appLog: AppLog
  /** Also keeps the session valid for a client that comes back. */
  findSession: FindSession
  findRevocations: FindRevocations
  switches: Switches
  log: Log
  /** Smaller ones for tests. */
  limits?: Partial<TailLimits>
}

type TailsContext = {
  appLog: AppLog
  switches: Switches
  feed: TailFeed
  testOf: ReturnType<typeof createPatterns>
  open: OpenTails
  limits: TailLimits
  log: Log
}

/** What a connection gives a tail: where bytes go, and how it is closed. */
type Connection = {
  /** Calls `sent` when the system has them. */
  send: (bytes: Buffer, sent: () => void) => void
  /** `finished`: all was said; otherwise the client may come back for more. */
  close: (finished: boolean) => void
  cut: () => void
}

declare module 'fastify' {
  interface FastifyRequest {
    logSession: LogSession | null
  }
}

const historyWarning = {
  'x-heroku-warning': 'Warning: log history discarded due to excessive volume.',
}
const gone = 'This log session is unknown, or has ended: ask for a new one.\n'
const unavailable = 'Log sessions cannot be looked up just now: try again in a moment.\n'
const full = 'Too many log streams are open for this app: close one, or try again later.\n'

/**
 * Serves `GET /sessions/:id` in the form that the client asks for: server-sent events (`Accept:
 * text/event-stream`), WebSocket (an upgrade; `?format=json`) or plain text in chunks. The url is
 * the credential. A client that comes back says what it has by `Last-Event-ID` or `?after=`.
 */
export async function registerTails(server: FastifyInstance, deps: TailsDeps): Promise<void> {
  const limits = { ...tailLimits, ...deps.limits }
  const { appLog, log, switches } = deps
  const feed = createTailFeed(appLog, limits.batchBytesMax)
  const testOf = createPatterns(limits)
  const open = createOpenTails(limits)
  const context = { appLog, log, limits, feed, testOf, switches, open }
  await server.register(fastifyWebsocket, {
    options: { perMessageDeflate: false, maxPayload: 1_024 },
    // Every tail closes its own connection, and says why.
    preClose: (done) => {
      context.open.endAll()
      done()
    },
  })
  const stopChecking = endRevokedTails(context, deps.findRevocations)
  server.addHook('onClose', (_server, done) => {
    stopChecking()
    done()
  })
  server.decorateRequest('logSession', null)
  // The second is how Logplex's v2 calls one that never follows.
  for (const url of ['/sessions/:id', '/v2/canary-fetch/:id'])
    server.route<{ Params: { id: string } }>({
      method: 'GET',
      url,
      exposeHeadRoute: false,
      preHandler: async (request, reply) => {
        const id = parseId<SessionId>(request.params.id)
        try {
          request.logSession = (id && (await deps.findSession(id))) ?? null
        } catch (error) {
          log.warn({ err: error }, 'log session could not be looked up')
          return reply.code(503).header('retry-after', '1').type('text/plain').send(unavailable)
        }
        if (!request.logSession) return reply.code(404).type('text/plain').send(gone)
      },
      handler: (request, reply) => serveHttp(context, request, reply),
      wsHandler: (socket, request) => serveWebSocket(context, socket, request),
    })
}

/**
 * Ends the tails of revoked sessions, and those switched off, from time to time, until it is
 * stopped.
 */
function endRevokedTails(
  { open, limits, log, switches }: TailsContext,
  findRevocations: FindRevocations,
): () => void {
  const findEnded: FindRevocations = async (appId) => {
    const isRevoked = await findRevocations(appId)
    const isOff = switches.isOff('tails', appId)
    return (session) => isRevoked(session) || (isOff && session.tail)
  }
  const stop = new AbortController()
  void (async () => {
    for (;;) {
      await delay(limits.revokedCheckSeconds * 1_000, undefined, { signal: stop.signal })
      try {
        await open.endRevoked(findEnded)
      } catch (error) {
        log.warn({ err: error }, 'revoked log sessions could not be looked up')
      }
    }
  })().catch(() => undefined)
  return () => stop.abort()
}

function serveHttp(context: TailsContext, request: FastifyRequest, reply: FastifyReply): void {
  const session = request.logSession
  const tail = session && context.open.enter(session)
  if (!session || !tail) {
    void reply.code(503).header('retry-after', '10').type('text/plain').send(full)
    return
  }
  const format = request.headers.accept?.includes('text/event-stream') ? sse : chunked
  reply.hijack()
  const { raw } = reply
  raw.writeHead(200, {
    'content-type': format === sse ? 'text/event-stream' : 'text/plain; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
    ...(context.switches.isOff('history', session.appId) && historyWarning),
  })
  raw.flushHeaders()
  raw.once('close', () => tail.abort())
  void serveTail(
    context,
    { session, tail, format, after: readAfter(request) },
    {
      send: (bytes, sent) => void raw.write(bytes, sent),
      // A stream that is cut short takes its connection along, or a stopping server waits for that.
      close: (finished) => raw.end(() => finished || request.raw.socket.end()),
      cut: () => raw.destroy(),
    },
  )
}

function serveWebSocket(context: TailsContext, socket: WebSocket, request: FastifyRequest): void {
  const session = request.logSession
  const tail = session && context.open.enter(session)
  if (!session || !tail) return socket.close(1013, full.trim())
  const { format: asked } = request.query as { format?: unknown }
  const format = asked === 'json' ? websocketJson : websocketText
  socket.on('error', () => tail.abort())
  socket.once('close', () => tail.abort())
  void serveTail(
    context,
    { session, tail, format, after: readAfter(request) },
    {
      send: (bytes, sent) => {
        // A text message that is not UTF-8 would end the connection.
        const text = isUtf8(bytes) ? bytes : Buffer.from(bytes.toString('utf8'))
        socket.send(text, { binary: false }, () => sent())
      },
      close: (finished) => socket.close(finished ? 1000 : 1001),
      cut: () => socket.terminate(),
    },
  )
}

type Tail = {
  session: LogSession
  tail: AbortController
  format: TailFormat
  after: number | undefined
}

/** Runs the tail over its connection, within its lifetime, and closes the connection after it. */
async function serveTail(
  context: TailsContext,
  { session, tail, format, after }: Tail,
  connection: Connection,
): Promise<void> {
  const { limits, appLog, feed, log, open, switches } = context
  const { signal } = tail
  const left = session.endsAt.getTime() - Date.now()
  const life = setTimeout(() => tail.abort(), Math.min(limits.streamSecondsMax * 1_000, left))
  let giveUp: (() => void) | undefined
  signal.addEventListener('abort', () => giveUp?.(), { once: true })
  // No race with a promise for the abort: each would stay in that one's memory until it ends.
  const send = (bytes: Buffer): Promise<void> =>
    new Promise((resolve) => {
      const stalled = setTimeout(() => {
        log.info({ app: session.appId }, 'tail took nothing for too long and is cut off')
        tail.abort()
        connection.cut()
      }, limits.stalledSecondsMax * 1_000)
      const sent = (): void => {
        clearTimeout(stalled)
        resolve()
      }
      giveUp = sent
      if (signal.aborted) sent()
      else connection.send(bytes, sent)
    })
  let finished = false
  try {
    const testOf = (pattern: string): MessageTest => context.testOf(session.appId, pattern)
    const reading = { appLog, feed, testOf, switches, limits, log }
    finished = await runTail({ session, after, format, send, signal, ...reading })
  } finally {
    clearTimeout(life)
    if (open.leave(session, tail)) feed.forget(session.appId)
    connection.close(finished && !signal.aborted)
    // Who does not take the last bytes does not keep the connection either.
    if (signal.aborted) setTimeout(connection.cut, limits.endSecondsMax * 1_000).unref()
  }
}

/** The number of the newest line that the client has, if it says one. */
function readAfter(request: FastifyRequest): number | undefined {
  const { after } = request.query as { after?: unknown }
  const text = request.headers['last-event-id'] ?? after
  if (typeof text !== 'string' || !/^\d{1,15}$/.test(text)) return undefined
  return Number(text)
}
