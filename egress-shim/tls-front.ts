import { createServer, type Server } from 'node:https'
import type { SecureContext, TLSSocket } from 'node:tls'
import { forwardRequest } from './forward-request.ts'
import { herokuHosts, isHerokuHost } from './heroku-hosts.ts'
import type { Limits } from './limits.ts'
import { tooMany, type Note } from './note.ts'

/** PEM of a certificate for Heroku's hosts and of its key. */
export type ServerCertificate = { key: string; cert: string }

/**
 * The server that speaks TLS as Heroku's hosts and forwards what it is asked to Plexus. It takes
 * sockets by its event 'connection' (those of CONNECT) and on a port of its own.
 *
 * A client that names another host (SNI) gets no certificate, one that names none no answer.
 * HTTP/1.1 only.
 */
export function createTlsFront(options: {
  certificate: ServerCertificate
  origin: URL
  limits: Limits
  note: Note
}): Server {
  const { certificate, origin, limits, note } = options
  const server = createServer(
    {
      ...certificate,
      SNICallback: onlyHerokuHosts,
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: limits.handshakeMs,
      headersTimeout: limits.headMs,
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: limits.headCheckMs,
      keepAliveTimeout: limits.keepAliveMs,
      maxHeaderSize: limits.headBytesMax,
    },
    (request, response) => forwardRequest(request, response, { origin, limits }),
  )
  server.timeout = limits.idleMs
  server.maxConnections = limits.connectionsMax
  server.on('drop', () => note('full', tooMany(limits)))
  server.on('secureConnection', (socket: TLSSocket) => {
    // Without a name there is no SNICallback to ask.
    if (!socket.servername) socket.destroy()
  })
  server.on('tlsClientError', (error: NodeJS.ErrnoException) => {
    if (error.message === wrongName) note('wrong-name', wrongNameSaid)
    else if (untrusted.test(error.code ?? '')) note('untrusted', untrustedSaid)
  })
  return server
}

const wrongName = 'not one of the hosts that lead to Plexus'
const wrongNameSaid =
  `A client wanted a certificate for a host other than ${herokuHosts.join(', ')} (SNI) and got ` +
  'none: does a name in its hosts file lead here that should not?'
/**
 * The alerts by which OpenSSL, Go and others say that they do not believe a certificate; Node says
 * nothing and closes the connection.
 */
const untrusted = /^ECONNRESET$|ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN)$/
const untrustedSaid =
  'A client went away when it saw the certificate: most likely it does not trust the CA, and its ' +
  'process lacks the variables that npx plexus provider proxy --env prints.'

/** Only for Heroku's hosts the server's one certificate is shown. */
function onlyHerokuHosts(
  name: string,
  answer: (error: Error | null, context?: SecureContext) => void,
): void {
  if (isHerokuHost(name)) answer(null)
  else answer(new Error(wrongName))
}
