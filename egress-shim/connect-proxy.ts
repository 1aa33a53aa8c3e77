import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { LookupFunction, Socket } from 'node:net'
import { isHerokuHost, parseAuthority } from './heroku-hosts.ts'
import type { Limits } from './limits.ts'
import { tooMany, type Note } from './note.ts'
import { refuse, refuseSocket, type Refusal } from './refusal.ts'
import { tunnel } from './tunnel.ts'

/**
 * An HTTP proxy that knows CONNECT and nothing else: HTTPS is what providers speak with Heroku, and
 * plain HTTP needs no proxy to reach a platform on this machine.
 *
 * @param options.takeHeroku gets the socket of a CONNECT to one of Heroku's hosts, from which the
 *   TLS handshake is to be read.
 * @param options.lookup how names of other hosts are found; undefined: as the machine does it.
 */
export function createConnectProxy(options: {
  limits: Limits
  takeHeroku: (socket: Socket) => void
  note: Note
  lookup: LookupFunction | undefined
}): Server {
  const { limits, takeHeroku, note, lookup } = options
  const server = createServer(
    {
      headersTimeout: limits.headMs,
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: limits.headCheckMs,
      keepAliveTimeout: limits.keepAliveMs,
      maxHeaderSize: limits.headBytesMax,
    },
    (request, response) => refuse(request, response, onlyConnect),
  )
  server.timeout = limits.idleMs
  server.maxConnections = limits.connectionsMax
  server.on('drop', () => note('full', tooMany(limits)))
  server.on('connect', (request: IncomingMessage, client: Socket, head: Buffer) => {
    // Whatever happens to it next, a lost client is no error of the process.
    client.on('error', () => client.destroy())
    const target = parseAuthority(request.url ?? '')
    if (!target) return refuseSocket(client, noTarget, limits)
    if (!isHerokuHost(target.host)) {
      client.setTimeout(0)
      return void tunnel({ client, head, target, limits, lookup })
    }
    if (target.port !== 443) return refuseSocket(client, onlyHttps, limits)
    client.setTimeout(0)
    client.write('HTTP/1.1 200 Connection Established\r\n\r\n')
    if (head.length > 0) client.unshift(head)
    return takeHeroku(client)
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
    return refuseSocket(socket, refusalOf(error), limits)
  })
  return server
}

const onlyConnect: Refusal = {
  status: 405,
  id: 'method_not_allowed',
  message:
    'This proxy takes CONNECT only, that is, https:// URLs by way of HTTPS_PROXY. For http:// URLs ' +
    'leave HTTP_PROXY unset.',
}
const noTarget: Refusal = {
  status: 400,
  id: 'bad_request',
  message: 'CONNECT wants HOST:PORT, as in CONNECT api.heroku.com:443.',
}
const onlyHttps: Refusal = {
  status: 403,
  id: 'forbidden',
  message:
    "Heroku's hosts lead to Plexus, and only port 443 of them: use an https:// URL without a port.",
}

/** What the bytes were that are no request. */
function refusalOf({ code }: NodeJS.ErrnoException): Refusal {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return { status: 408, id: 'request_timeout', message: 'The request did not come in time.' }
  if (code === 'HPE_HEADER_OVERFLOW')
    return { status: 431, id: 'bad_request', message: 'The head of the request is too long.' }
  const message =
    'This is no HTTP request: HTTPS_PROXY is to begin with http://, whatever is asked through it.'
  return { status: 400, id: 'bad_request', message }
}
