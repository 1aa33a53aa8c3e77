import {
  request as httpRequest,
  type ClientRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { request as httpsRequest } from 'node:https'
import { pipeline } from 'node:stream'
import { isHerokuHost, parseAuthority } from './heroku-hosts.ts'
import type { Limits } from './limits.ts'
import { refuse, unreachable, type Refusal } from './refusal.ts'

/** RFC 9110 § 7.6.1, with those that it names as found in the wild: they end at the next hop. */
const hopByHop = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'proxy-authenticate',
  'proxy-authorization',
])
/** The shim itself says these on: for whom, for how long a body, and who asks. */
const replaced = new Set(['host', 'expect', 'x-forwarded-for', 'content-length'])

/**
 * Sends a request for one of Heroku's hosts to Plexus and streams the answer back. Method, path,
 * query, headers and body stay; Host becomes that of `origin`, X-Forwarded-For the client's
 * address. A connection of its own for each: none can be found closed when a POST is under way.
 */
export function forwardRequest(
  request: IncomingMessage,
  response: ServerResponse,
  options: { origin: URL; limits: Limits },
): void {
  const { origin, limits } = options
  const wrong = misdirected(request)
  if (wrong) return refuse(request, response, wrong)
  const upstream = startRequest(request, origin)
  if (!upstream) return refuse(request, response, badRequest)
  const timer = setTimeout(() => {
    upstream.destroy(Object.assign(new Error('connect timed out'), { code: 'ETIMEDOUT' }))
  }, limits.connectMs)
  upstream.once('socket', (socket) => {
    socket.once(origin.protocol === 'https:' ? 'secureConnect' : 'connect', () =>
      clearTimeout(timer),
    )
  })
  upstream.setTimeout(limits.idleMs, () => {
    upstream.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }))
  })
  upstream.once('error', (error) => {
    // Once an answer has begun it may be whole although the request's body found no taker.
    if (!response.headersSent)
      refuse(request, response, unreachable(`Plexus at ${origin.origin}`, error, startPlexus))
  })
  upstream.once('close', () => clearTimeout(timer))
  upstream.once('response', (answer) => {
    // The date is the origin's, as are all other headers.
    response.sendDate = false
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, endToEnd(answer))
    pipeline(answer, response, () => upstream.destroy())
  })
  response.once('close', () => {
    upstream.destroy()
    // What is left of a body that Plexus did not want stands before the next request.
    request.unpipe().resume()
  })
  request.pipe(upstream)
}

const startPlexus = 'Start it with npm start, or set PLEXUS_API_URL for npx plexus provider proxy.'

const badRequest: Refusal = {
  status: 400,
  id: 'bad_request',
  message: 'The path or a header of this request cannot be sent on: see that it is plain HTTP/1.1.',
}

/** A request that the certificate is good for, and that yet is for somebody else. */
function misdirected({ headers, url = '' }: IncomingMessage): Refusal | undefined {
  const host = parseAuthority(headers.host ?? '')?.host ?? ''
  if (isHerokuHost(host) && (url.startsWith('/') || url === '*')) return undefined
  return {
    status: 421,
    id: 'misdirected_request',
    message:
      'Only requests for api, id and addons.heroku.com are answered here: see the Host header and ' +
      'the path, which begins with a slash.',
  }
}

function startRequest(request: IncomingMessage, origin: URL): ClientRequest | undefined {
  const { method, url, socket } = request
  const headers = endToEnd(request).filter((_, index, all) => {
    return !replaced.has(all[index - (index % 2)]?.toLowerCase() ?? '')
  })
  headers.push('Host', origin.host, 'X-Forwarded-For', socket.remoteAddress ?? '')
  // A server that was told "close" may reset the connection, and its answer with it, when it has
  // answered a body that it did not read.
  headers.push('Connection', 'keep-alive')
  // Node guesses a body's framing from the method; here it is what the client's was.
  const { 'transfer-encoding': encoding, 'content-length': length } = request.headers
  if (encoding !== undefined) headers.push('Transfer-Encoding', 'chunked')
  else if (length !== undefined || hasBodyByDefault(method))
    headers.push('Content-Length', length ?? '0')
  const send = origin.protocol === 'https:' ? httpsRequest : httpRequest
  try {
    return send(origin, { method, path: url, headers, agent: false })
  } catch {
    return undefined
  }
}

const hasBodyByDefault = (method = 'GET'): boolean => /^(POST|PUT|PATCH)$/.test(method)

/** Names and values in turn, as they came, without those that are for this hop only. */
function endToEnd({ rawHeaders, headers }: IncomingMessage): string[] {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase())
  return rawHeaders.filter((_, index) => {
    const name = rawHeaders[index - (index % 2)]?.toLowerCase() ?? ''
    return !hopByHop.has(name) && !named.includes(name)
  })
}
