import type { FastifyRequest } from 'fastify'
import { isPlexusError, notFound } from '#lib/errors.ts'
import type { Authorization } from '#proto/apps/v1/apps_pb.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { ApiRefusal, notSupported } from '../api-refusal.ts'
import type { Api, ApiContext } from '../context.ts'
import { identify, readBasic, readToken, type BasicCredentials } from '../hooks/authenticate.ts'
import { actorOf, invalidCredentials, type Identified } from '../hooks/identity.ts'
import { loginCallMs } from '../limits.ts'
import { renderAuthorization } from '../render/authorization.ts'
import { AuthorizationParams, CreateAuthorization } from '../schemas/authorizations.ts'
import type { TokenBuckets } from '../token-buckets.ts'

/** How many more logins may fail, by e-mail address and by peer address. */
export type LoginAllowances = { byEmail: TokenBuckets; byPeer: TokenBuckets }

type Wanted = { description: string; scope: string[]; expiresInSeconds?: number }

export function authorizationRoutes(
  api: Api,
  context: ApiContext,
  allowances: LoginAllowances,
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
          ? await logIn(context, { request, allowances, credentials, wanted })
          : await authorize(context, { request, token: readToken(header), wanted })
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
  context: ApiContext,
  options: { request: Identified; token: string | undefined; wanted: Wanted },
): Promise<Authorization> {
  const { request, token, wanted } = options
  if (token === undefined) throw invalidCredentials()
  request.identity = await identify(context, token)
  return context.apps.createAuthorization({ actor: actorOf(request), ...wanted })
}

async function logIn(
  { apps }: ApiContext,
  options: {
    request: Pick<FastifyRequest, 'ip'>
    allowances: LoginAllowances
    credentials: BasicCredentials
    wanted: Wanted
  },
): Promise<Authorization> {
  const { request, allowances, credentials, wanted } = options
  const { user: email, password } = credentials
  const emailKey = email.trim().toLowerCase()
  const { byEmail, byPeer } = allowances
  // Taken before the answer is known, so that many tries at the same time count as many.
  if (!byEmail.take(emailKey) || !byPeer.take(request.ip))
    throw new ApiRefusal(
      'rate_limit',
      'Too many logins have failed. Wait a few minutes and try again.',
    )
  const notFailed = (): void => {
    byEmail.giveBack(emailKey)
    byPeer.giveBack(request.ip)
  }
  try {
    const login = { email, password, ...wanted }
    const authorization = await apps.createAuthorization(login, { timeoutMs: loginCallMs })
    notFailed()
    return authorization
  } catch (error) {
    if (isPlexusError(error, ErrorCode.UNAUTHORIZED)) throw invalidCredentials()
    notFailed()
    throw error
  }
}
