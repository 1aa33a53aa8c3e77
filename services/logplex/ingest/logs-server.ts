import { fastify, type FastifyInstance } from 'fastify'
import { httpConnectionsMax, postReadMs } from '../limits.ts'

/** The HTTP server of log lines and log sessions; a request must have come whole after `readMs`. */
export function createLogsServer(readMs = postReadMs): FastifyInstance {
  const server = fastify({
    logger: false,
    requestTimeout: readMs,
    // Of the two timeouts Node holds a whole request to the longer one, whichever that is; and it
    // looks at its connections only every 30 s unless it is told to do so more often.
    http: { headersTimeout: readMs, connectionsCheckingInterval: Math.ceil(readMs / 10) },
    forceCloseConnections: true,
    return503OnClosing: false,
  })
  server.server.maxConnections = httpConnectionsMax
  return server
}
