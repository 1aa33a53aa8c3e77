import type { FastifyInstance } from 'fastify'
import { serveRoutes, type ApiDeps } from './api-scope.ts'
import { channelLogRoutes } from './channel-logs.ts'
import { channelRoutes, channelRoutesV3 } from './channels.ts'
import { drainRoutes, drainRoutesV3 } from './drains.ts'
import { sessionRoutes, sessionRoutesV3 } from './sessions.ts'
import { tokenRoutes, tokenRoutesV3 } from './tokens.ts'

/**
 * Logplex's own API, v1 and v2 as its clients know them and v3, for credentials with full_api and
 * the operator's key. Where it differs from Logplex, docs/decisions/0006 says why.
 */
export function registerLogplexApi(server: FastifyInstance, deps: ApiDeps): void {
  const { context } = deps
  const legacy = [
    ...channelRoutes(context),
    ...tokenRoutes(context),
    ...drainRoutes(context),
    ...sessionRoutes(context),
  ]
  serveRoutes(server, 'v2', legacy, deps)
  const v3 = [
    ...channelRoutesV3(context),
    ...tokenRoutesV3(context),
    ...drainRoutesV3(context),
    ...sessionRoutesV3(context),
    ...channelLogRoutes(context),
  ]
  serveRoutes(server, 'v3', v3, deps)
  server.get('/v3/healthcheck', (_request, reply) => reply.type('text/plain').send('OK'))
}
