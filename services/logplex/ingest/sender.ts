import { readBasic, type FindCredential } from '../credential.ts'
import { Refusal } from './post-body.ts'
import type { TokenLookup } from './token-lookup.ts'
import type { TokenRoute } from './token-table.ts'

/** Into whose log a post's lines go: all into one app's, or each where its own token says. */
export type Sender = { route: TokenRoute } | { anyChannel: true }

/**
 * Who posts: `Basic base64("token:t.…")`, `Bearer t.…`, or Basic with a credential's id and
 * password.
 *
 * @throws Refusal 401 or 403; what the look-ups throw when nobody can say it now.
 */
export async function findSender(
  authorization: string | undefined,
  lookup: TokenLookup,
  findCredential: FindCredential,
): Promise<Sender> {
  const login = readBasic(authorization)
  if (login && login.user !== 'token') {
    const credential = await findCredential(login)
    if (!credential) throw notAuthorized()
    if (!credential.permissions.has('any_channel'))
      throw new Refusal(403, 'Credential not permitted to write to any channel.')
    return { anyChannel: true }
  }
  const token = login?.password ?? readBearer(authorization)
  const route = token === undefined ? undefined : await lookup.route(token)
  if (!route) throw notAuthorized()
  return { route }
}

export function notAuthorized(): Refusal {
  return new Refusal(401, 'Not Authorized')
}

function readBearer(authorization: string | undefined): string | undefined {
  const [scheme, token] = (authorization ?? '').split(' ')
  return scheme?.toLowerCase() === 'bearer' ? token : undefined
}
