import type { onRequestAsyncHookHandler } from 'fastify'
import { must } from '#lib/assert.ts'
import type { ApiContext } from '../context.ts'
import { invalidCredentials, type Identity } from './identity.ts'

/** What an Authorization header of the Basic scheme says. */
export type BasicCredentials = { user: string; password: string }

/** Trades the request's token for its account, on every route that does not do so itself. */
export function authenticate(context: ApiContext): onRequestAsyncHookHandler {
  return async (request) => {
    if (request.routeOptions.config.authentication === 'own') return
    const token = readToken(request.headers.authorization)
    if (token === undefined) throw invalidCredentials()
    request.identity = await identify(context, token)
  }
}

/** @throws PlexusError UNAUTHORIZED for an unknown or expired token. */
export async function identify({ apps }: ApiContext, token: string): Promise<Identity> {
  const { account, authorizationId } = await apps.authenticate({ token })
  const { id, email } = must(account, 'account of an authentication')
  return { accountId: id, email, authorizationId, token }
}

/**
 * The token of an Authorization header: `Bearer TOKEN`, or Basic with the token as the password
 * and any user, as git and the data commands of the CLI send it.
 */
export function readToken(header: string | undefined): string | undefined {
  const bearer = /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1]
  if (bearer !== undefined) return bearer
  return readBasic(header)?.password || undefined
}

export function readBasic(header: string | undefined): BasicCredentials | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/_-]+=*) *$/i.exec(header ?? '')?.[1]
  if (encoded === undefined) return undefined
  const decoded = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = decoded.indexOf(':')
  if (colon < 0) return undefined
  return { user: decoded.slice(0, colon), password: decoded.slice(colon + 1) }
}
