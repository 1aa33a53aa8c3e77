import type { onRequestAsyncHookHandler } from 'fastify'
import { forbidden } from '#lib/errors.ts'
import { isPartnerToken, type CheckPartner, type CheckToken } from '../token-check.ts'
import { invalidCredentials } from './identity.ts'

/** What an Authorization header of the Basic scheme says. */
export type BasicCredentials = { user: string; password: string }

/**
 * Trades the request's token for its account, or on routes for providers for the add-on that it is
 * for, on every route that does not do so itself.
 */
export function authenticate(
  checkToken: CheckToken,
  checkPartner: CheckPartner,
): onRequestAsyncHookHandler {
  return async (request) => {
    const { authentication, partners } = request.routeOptions.config
    if (authentication === 'own') return
    const token = readToken(request.headers.authorization)
    if (token === undefined) throw invalidCredentials()
    if (!isPartnerToken(token)) {
      request.identity = await checkToken(request.ip, token)
      return
    }
    request.partner = await checkPartner(request.ip, token)
    if (!partners)
      throw forbidden('A token of an add-on may read and change that add-on, and nothing else.')
  }
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
  // RFC 7617 forbids control characters; NUL is the one that no database text can hold.
  if (colon < 0 || decoded.includes('\0')) return undefined
  return { user: decoded.slice(0, colon), password: decoded.slice(colon + 1) }
}
