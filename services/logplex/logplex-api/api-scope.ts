import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { isPlexusError } from '#lib/errors.ts'
import type { Log } from '#lib/log.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { readBasic } from '../credential.ts'
import type { ServiceState } from '../switches.ts'
import type { ControlContext } from '../control/context.ts'

export type ApiDeps = {
  context: ControlContext
  /** Whether a request's authorization is the operator's key, which needs no credential. */
  isAuthKey: (authorization: string | undefined) => boolean
  log: Log
}
export type ApiVersion = 'v2' | 'v3'

/** Ends a request with that status and body: an object is JSON, text is Logplex's bare text. */
export class ApiAnswer extends Error {
  readonly status: number
  readonly body: object | string

  constructor(status: number, body: object | string) {
    super(String(status))
    this.status = status
    this.body = body
  }
}

export const jsonError = (status: number, error: string): ApiAnswer =>
  new ApiAnswer(status, { error })

/**
 * A route that needs a credential with full_api, or the operator's key; its body, if it has one, is
 * a JSON object.
 */
export type ApiRoute = {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  url: string
  answer: (request: ApiRequest, reply: FastifyReply) => Promise<ApiAnswer | FastifyReply>
}

export type ApiRequest = {
  params: Record<string, string>
  query: Record<string, unknown>
  body: Record<string, unknown>
  /** Id of the credential that asks, or authKeyId. */
  credentialId: string
}

/** Stands for the operator's key where a credential has its id. */
const authKeyId = 'the key'

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

/** Serves the routes with what all of a version have in common; other methods are refused. */
export function serveRoutes(
  server: FastifyInstance,
  version: ApiVersion,
  routes: ApiRoute[],
  deps: ApiDeps,
): void {
  void server.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, parsed) =>
      parsed(null, body),
    )
    scope.setErrorHandler((error, _request, reply) => sendError(error, reply, version, deps.log))
    for (const { method, url, answer } of routes)
      scope.route({
        method,
        url,
        exposeHeadRoute: false,
        onRequest: async (request, reply) => {
          if (version === 'v3')
            reply.header('request-id', request.headers['request-id'] ?? randomUUID())
          assertInService(method, url, version, deps.context.switches.state)
          const credentialId = await authorize(request, deps)
          if (version === 'v3' && (method === 'POST' || method === 'PUT')) assertJson(request)
          credentials.set(request, credentialId)
        },
        handler: async (request, reply) => {
          const asked: ApiRequest = {
            params: request.params as Record<string, string>,
            query: request.query as Record<string, unknown>,
            body: readObject(request.body, version),
            credentialId: credentials.get(request) ?? '',
          }
          const answered = await answer(asked, reply)
          return answered instanceof ApiAnswer ? send(reply, answered, version) : answered
        },
      })
    if (version === 'v3') refuseOtherMethods(scope, routes)
    done()
  })
}

const credentials = new WeakMap<FastifyRequest, string>()

function refuseOtherMethods(scope: FastifyInstance, routes: ApiRoute[]): void {
  for (const [url, known] of Map.groupBy(routes, (route) => route.url)) {
    const allowed = known.map(({ method }) => method)
    scope.route({
      method: methods.filter((method) => !allowed.some((one) => one === method)),
      url,
      exposeHeadRoute: false,
      handler: (_request, reply) => reply.code(405).header('allow', allowed.join(', ')).send(),
    })
  }
}

/** What only looks works while the service is to change nothing; so do v2's canaries. */
function assertInService(
  method: ApiRoute['method'],
  url: string,
  version: ApiVersion,
  state: ServiceState,
): void {
  const bare = version === 'v3' ? '' : undefined
  if (state === 'disabled') throw new ApiAnswer(503, bare ?? 'Service Temporarily Disabled')
  if (state === 'normal' || method === 'GET' || url === '/v2/canary-sessions') return
  throw new ApiAnswer(503, bare ?? 'Logplex API temporarily in read-only mode')
}

async function authorize(
  { headers: { authorization } }: FastifyRequest,
  { context, isAuthKey }: ApiDeps,
): Promise<string> {
  if (isAuthKey(authorization)) return authKeyId
  const login = readBasic(authorization)
  const credential = login && (await context.registry.findCredential(login))
  if (!credential?.permissions.has('full_api')) throw new ApiAnswer(401, 'Not Authorized')
  return credential.id
}

function assertJson(request: FastifyRequest): void {
  if (request.headers['content-type'] !== 'application/json') throw new ApiAnswer(415, '')
}

function readObject(body: unknown, version: ApiVersion): Record<string, unknown> {
  const text = Buffer.isBuffer(body) ? body.toString('utf8') : ''
  if (text === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
  } catch {
    // Answered below, like JSON of another shape.
  }
  throw version === 'v3' ? jsonError(400, 'invalid payload') : new ApiAnswer(400, 'Bad request')
}

function send(reply: FastifyReply, { status, body }: ApiAnswer, version: ApiVersion): FastifyReply {
  if (status === 401 && version === 'v3') reply.header('www-authenticate', 'Basic realm=Logplex')
  if (typeof body === 'object') return reply.code(status).send(body)
  // What Logplex says in bare text it calls text/html, which no browser should believe.
  return reply.code(status).type('text/plain').send(body)
}

function sendError(error: unknown, reply: FastifyReply, version: ApiVersion, log: Log) {
  if (error instanceof ApiAnswer) return send(reply, error, version)
  if (isPlexusError(error, ErrorCode.NOT_FOUND))
    return send(reply, jsonError(404, 'Not Found'), version)
  if (isPlexusError(error, ErrorCode.UNAVAILABLE))
    return send(reply, new ApiAnswer(503, ''), version)
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined
  if (typeof status === 'number' && status < 500)
    return send(reply, new ApiAnswer(status, ''), version)
  log.error({ err: error }, "request of Logplex's API failed")
  return send(reply, new ApiAnswer(500, ''), version)
}
