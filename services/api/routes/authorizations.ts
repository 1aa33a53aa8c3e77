import type { FastifyReply, FastifyRequest } from 'fastify'
import { isPlexusError, notFound } from '#lib/errors.ts'
import type { Authorization } from '#proto/apps/v1/apps_pb.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { ApiRefusal, notSupported } from '../api-refusal.ts'
import type { Api, ApiContext } from '../context.ts'
import { readBasic, readToken, type BasicCredentials } from '../hooks/authenticate.ts'
import { actorOf, invalidCredentials, type Identified } from '../hooks/identity.ts'
import { spendRequest } from '../hooks/rate-limit.ts'
import { loginCallMs } from '../limits.ts'
import type { LoginAllowances } from '../login-allowances.ts'
import { renderAuthorization } from '../render/authorization.ts'
import { AuthorizationParams, CreateAuthorization } from '../schemas/authorizations.ts'
import type { TokenBuckets } from '../token-buckets.ts'
import type { CheckToken } from '../token-check.ts'

/** What making a token costs: a failed login, a wrong token, or a request of the account. */
export type AuthorizationLimits = {
  logins: LoginAllowances
  accounts: TokenBuckets
  checkToken: CheckToken
}

type Wanted = { description: string; scope: string[]; expiresInSeconds?: number }

export function authorizationRoutes(
  api: Api,
  context: ApiContext,
  limits: AuthorizationLimits,
): void {
  const { apps } = context

  api.post(
    '/oauth/authorizations',
    { config: { authentication: 'own' }, schema: { body: CreateAuthorization } },
    async (request, reply) => {
      const { description, expires_in: expiresIn, scope = ['global'] } = request.body ?? {}
      // Better none than one that can do more than was asked for.
      if (!scope.includes('global'))
        throw notSupported('A token here may do all that its account may: ask for scope global.')
      const wanted: Wanted = {
        description: description ?? '',
        scope,
        ...(expiresIn !== undefined &&
          expiresIn !== null && { expiresInSeconds: Number(expiresIn) }),
      }
      const { authorization: header } = request.headers
      const credentials = readBasic(header)
      // Basic without a user is a token in another dress.
      const authorization =
        credentials && credentials.user !== ''
          ? await logIn(context, { request, logins: limits.logins, credentials, wanted })
          : await authorize(context, { request, reply, limits, wanted })
      reply.code(201)
      return renderAuthorization(authorization, null)
    },
  )

  api.get('/oauth/authorizations', async (request) => {
    const { authorizations } = await apps.listAuthorizations({ actor: actorOf(request) })
    return authorizations.map((each) => renderAuthorization(each, request.identity))
  })

  const params = { schema: { params: AuthorizationParams } }

  api.get('/oauth/authorizations/:authorization', params, async (request) => {
    const { authorization: id } = request.params
    return renderAuthorization(await findAuthorization(context, request, id), request.identity)
  })

  api.delete('/oauth/authorizations/:authorization', params, async (request) => {
    const { authorization: id } = request.params
    const found = await findAuthorization(context, request, id)
    await apps.deleteAuthorization({ actor: actorOf(request), id: found.id })
    return renderAuthorization(found, request.identity)
  })

  // `heroku logout` ends a browser's session first; there are none, and this is how it is told.
  api.delete('/oauth/sessions/:session', async () => {
    throw notFound('session')
  })
}

/** `~` would be the account's default authorization, the "API key": Plexus has none. */
async function findAuthorization(
  { apps }: ApiContext,
  request: Identified,
  id: string,
): Promise<Authorization> {
  const { authorizations } = await apps.listAuthorizations({ actor: actorOf(request) })
  const found = authorizations.find((each) => each.id === id.toLowerCase())
  if (!found) throw notFound('authorization')
  return found
}

async function authorize(
  { apps }: ApiContext,
  options: {
    request: Pick<FastifyRequest, 'ip' | 'headers' | 'identity'>
    reply: FastifyReply
    limits: AuthorizationLimits
    wanted: Wanted
  },
): Promise<Authorization> {
  const { request, reply, limits, wanted } = options
  const token = readToken(request.headers.authorization)
  if (token === undefined) throw invalidCredentials()
  request.identity = await limits.checkToken(request.ip, token)
  spendRequest(limits.accounts, request, reply)
  return apps.createAuthorization({ actor: actorOf(request), ...wanted })
}

async function logIn(
  { apps }: ApiContext,
  options: {
    request: Pick<FastifyRequest, 'ip'>
    logins: LoginAllowances
    credentials: BasicCredentials
    wanted: Wanted
  },
): Promise<Authorization> {
  const { request, logins, credentials, wanted } = options
  const { user: email, password } = credentials
  // Taken before the answer is known, so that many tries at the same time count as many.
  const giveBack = logins.take(email, request.ip)
  if (!giveBack)
    throw new ApiRefusal(
      'rate_limit',
      'Too many logins have failed. Wait a few minutes and try again.',
    )
  try {
    const login = { email, password, ...wanted }
    const authorization = await apps.createAuthorization(login, { timeoutMs: loginCallMs })
    giveBack()
    return authorization
  } catch (error) {
    if (isPlexusError(error, ErrorCode.UNAUTHORIZED)) throw invalidCredentials()
    giveBack()
    throw error
  }
}
