import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { fastify, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Socket } from 'node:net'
import { ApiRefusal } from './api-refusal.ts'
import type { Api, ApiContext } from './context.ts'
import { accept } from './hooks/accept.ts'
import { authenticate } from './hooks/authenticate.ts'
import { authenticateProvider } from './hooks/authenticate-provider.ts'
import { cors } from './hooks/cors.ts'
import { checkIfMatch, tagAnswer } from './hooks/etag.ts'
import { lastModified } from './hooks/last-modified.ts'
import { overrideMethod } from './hooks/method-override.ts'
import { ranges } from './hooks/ranges.ts'
import { rateLimit } from './hooks/rate-limit.ts'
import { refuseUnstorable } from './hooks/refuse-unstorable.ts'
import { requestId } from './hooks/request-id.ts'
import * as limits from './limits.ts'
import { createLoginAllowances } from './login-allowances.ts'
import { boundPeerConnections } from './peer-connections.ts'
import { renderError } from './render-error.ts'
import { accountRoutes } from './routes/account.ts'
import { addonAttachmentRoutes } from './routes/addon-attachments.ts'
import { addonServiceRoutes } from './routes/addon-services.ts'
import { addonConfigRoutes } from './routes/addon-config.ts'
import { addonRoutes } from './routes/addons.ts'
import { appInfoRoutes } from './routes/app-info.ts'
import { appRoutes } from './routes/apps.ts'
import { authorizationRoutes } from './routes/authorizations.ts'
import { backupDownloadRoutes } from './routes/backup-downloads.ts'
import { collaboratorRoutes } from './routes/collaborators.ts'
import { configVarRoutes } from './routes/config-vars.ts'
import { healthRoutes } from './routes/health.ts'
import { addonLogDrainRoutes } from './routes/addon-log-drains.ts'
import { logDrainRoutes } from './routes/log-drains.ts'
import { logSessionRoutes, logTokenRoutes } from './routes/logs.ts'
import { manifestRoutes } from './routes/manifests.ts'
import { oauthTokenRoutes } from './routes/oauth-token.ts'
import { partnerActionRoutes } from './routes/partner-actions.ts'
import { platformRoutes } from './routes/platform.ts'
import { postgresBackupRoutes } from './routes/postgres-backups.ts'
import { postgresRoutes } from './routes/postgres.ts'
import { postgresCredentialRoutes } from './routes/postgres-credentials.ts'
import { redisRoutes } from './routes/redis.ts'
import { releaseRoutes } from './routes/releases.ts'
import { dashboardRoutes, ssoRoutes } from './routes/sso.ts'
import { statusRoutes } from './routes/status.ts'
import { telemetryDrainRoutes } from './routes/telemetry-drains.ts'
import { webhookHistoryRoutes } from './routes/webhook-history.ts'
import { webhookRoutes } from './routes/webhooks.ts'
import { createTokenBuckets, type TokenBuckets } from './token-buckets.ts'
import {
  createTokenChecks,
  type CheckPartner,
  type CheckProvider,
  type CheckToken,
} from './token-check.ts'
import { refuseUnrouted } from './unsupported.ts'

/** What bounds who may ask how often, shared by all routes of a server. */
type Guards = {
  accounts: TokenBuckets
  checkToken: CheckToken
  checkPartner: CheckPartner
  checkProvider: CheckProvider
}

/**
 * The HTTP server of the API, with every hook and route in the order in which they apply.
 * `trustedProxies` are the addresses and CIDR ranges whose X-Forwarded-For is believed.
 */
export function buildServer(context: ApiContext, trustedProxies: readonly string[]): Api {
  const api = createInstance(trustedProxies)
  api.decorateRequest('identity', null)
  api.decorateRequest('partner', null)
  api.decorateRequest('provider', null)
  const accounts = createTokenBuckets({
    capacity: limits.accountRequestsMax,
    perMinute: limits.accountRequestsPerMinute,
    keysMax: limits.bucketsMax,
  })
  const guards: Guards = { accounts, ...createTokenChecks(context) }
  readJsonBodies(api)
  answerErrors(api, context)

  api.addHook('onRequest', async (request, reply) => {
    reply.header('Request-Id', request.id).header('Cache-Control', 'private, no-cache')
    reply.header('X-Content-Type-Options', 'nosniff')
  })
  api.addHook('onRequest', cors)
  api.addHook('onResponse', logRequest(context))

  healthRoutes(api)
  statusRoutes(api, context)
  dashboardRoutes(api, context)
  backupDownloadRoutes(api, context)
  void api.register(async (scope: Api) => oauthTokenRoutes(scope, context))
  void api.register(async (scope: Api) => providerRoutes(scope, context, guards))
  void api.register(async (scope: Api) => herokuRoutes(scope, context, guards))
  void api.register(async (scope: Api) => ownRoutes(scope, context, guards))
  return api
}

function createInstance(trustedProxies: readonly string[]): Api {
  const api = fastify({
    trustProxy: trustedProxies.length > 0 && [...trustedProxies],
    // Our own log has one line for each answer; see logRequest.
    logger: false,
    genReqId: requestId,
    rewriteUrl: overrideMethod,
    bodyLimit: limits.bodyBytesMax,
    requestTimeout: limits.requestArrivalMs,
    keepAliveTimeout: limits.keepAliveMs,
    routerOptions: { maxParamLength: limits.pathPartCharsMax, ignoreTrailingSlash: true },
    http: {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headersArrivalMs,
      connectionsCheckingInterval: limits.arrivalCheckMs,
    },
    forceCloseConnections: 'idle',
    frameworkErrors: (error, _request, reply) => sendError(error, reply),
    clientErrorHandler: answerBrokenRequest,
    ajv: {
      customOptions: {
        // Params are what the client said, or refused: nothing is bent into shape.
        removeAdditional: false,
        coerceTypes: false,
        useDefaults: false,
        allowUnionTypes: true,
        allErrors: true,
      },
    },
  }).withTypeProvider<TypeBoxTypeProvider>()
  api.server.maxConnections = limits.connectionsMax
  boundPeerConnections(api.server, { perPeerMax: limits.connectionsPerPeerMax, trustedProxies })
  return api
}

/** JSON whatever its content type says, and nothing at all where there is none. */
function readJsonBodies(api: Api): void {
  const parse = api.getDefaultJsonParser('error', 'error')
  api.removeAllContentTypeParsers()
  api.addContentTypeParser('*', { parseAs: 'string' }, (request, body, done) => {
    const text = String(body)
    if (text.trim() === '') return done(null, null)
    return parse(request, text, (error, value) =>
      error
        ? done(new ApiRefusal('bad_request', 'The body is not JSON. Send a JSON object.'))
        : done(null, value),
    )
  })
}

function answerErrors(api: Api, { log }: ApiContext): void {
  api.setErrorHandler((error, request, reply) => {
    const { method, id, routeOptions } = request
    if (renderError(error).internal)
      log.error({ err: error, method, route: routeOptions.url, requestId: id }, 'request failed')
    const { status, body } = renderError(error)
    // Heroku's plugin for providers reads what went wrong from here.
    const more = request.url.startsWith('/api/v3/addons/') && { error: body.message }
    return reply.code(status).send({ ...body, ...more })
  })
  api.setNotFoundHandler((request, reply) => {
    const [path = ''] = request.url.split('?')
    return sendError(refuseUnrouted(request.method, path), reply)
  })
}

function sendError(error: unknown, reply: FastifyReply): FastifyReply {
  const { status, body } = renderError(error)
  return reply.code(status).send(body)
}

/** What is no HTTP never reaches a route; it gets the same kind of answer, and the line is cut. */
function answerBrokenRequest(_error: Error, socket: Socket): void {
  if (!socket.writable) return
  const refusal = new ApiRefusal(
    'bad_request',
    'That was no HTTP request, or its headers too long.',
  )
  const { status, body } = renderError(refusal)
  const text = JSON.stringify(body)
  socket.end(
    `HTTP/1.1 ${status} Bad Request\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
  )
}

/** One line for each answer: the route's pattern, for a path may carry a drain's credentials. */
function logRequest({ log }: ApiContext) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { method, id, routeOptions } = request
    const ms = Math.round(reply.elapsedTime)
    const { statusCode: status } = reply
    const requestId = id.slice(0, limits.requestIdLoggedCharsMax)
    log.info({ method, route: routeOptions.url, status, ms, requestId }, 'request')
  }
}

/** What every call of an account passes on its way in and out. */
function guard(api: Api, { accounts, checkToken, checkPartner }: Guards): void {
  api.addHook('onRequest', authenticate(checkToken, checkPartner))
  api.addHook('onRequest', rateLimit(accounts))
  api.addHook('preValidation', refuseUnstorable)
  api.addHook('preHandler', checkIfMatch(api))
  api.addHook('preSerialization', ranges)
  api.addHook('preSerialization', lastModified)
  api.addHook('onSend', tagAnswer)
}

/** What add-on providers call with the password of their manifest. */
function providerRoutes(api: Api, context: ApiContext, { accounts, checkProvider }: Guards): void {
  api.addHook('onRequest', authenticateProvider(checkProvider))
  api.addHook('onRequest', rateLimit(accounts))
  api.addHook('preValidation', refuseUnstorable)
  appInfoRoutes(api, context)
}

/** What Heroku's clients call: version 3 of the API, each call by an account. */
function herokuRoutes(api: Api, context: ApiContext, guards: Guards): void {
  api.addHook('onRequest', accept)
  guard(api, guards)
  authorizationRoutes(api, context, { ...guards, logins: createLoginAllowances() })
  accountRoutes(api, context, guards.accounts)
  appRoutes(api, context)
  collaboratorRoutes(api, context)
  configVarRoutes(api, context)
  releaseRoutes(api, context)
  addonServiceRoutes(api, context)
  addonRoutes(api, context)
  addonConfigRoutes(api, context)
  partnerActionRoutes(api, context)
  ssoRoutes(api, context)
  addonAttachmentRoutes(api, context)
  logSessionRoutes(api, context)
  logDrainRoutes(api, context)
  addonLogDrainRoutes(api, context)
  telemetryDrainRoutes(api, context)
  webhookRoutes(api, context)
  webhookHistoryRoutes(api, context)
  platformRoutes(api, context)
}

/** What only Plexus has, and what Heroku has elsewhere: the same, without a version to name. */
function ownRoutes(api: Api, context: ApiContext, guards: Guards): void {
  guard(api, guards)
  logTokenRoutes(api, context)
  manifestRoutes(api, context)
  postgresRoutes(api, context)
  postgresCredentialRoutes(api, context)
  postgresBackupRoutes(api, context)
  redisRoutes(api, context)
}
