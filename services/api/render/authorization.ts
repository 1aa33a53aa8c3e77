import { timestampDate } from '@bufbuild/protobuf/wkt'
import { must } from '#lib/assert.ts'
import type { Authorization } from '#proto/apps/v1/apps_pb.ts'
import type { Identity } from '../hooks/identity.ts'
import { isoTime } from '#lib/platform-api/time.ts'

// What the CLI looks for in a token that is shown in part: what stands before and behind the
// asterisks must be the beginning and the end of the whole one.
const redaction = '*'.repeat(10)

/**
 * Heroku's OAuth authorization. The token is whole when it was just made, and for the one that
 * the request itself came with; of any other only its end is shown.
 */
export function renderAuthorization(
  authorization: Authorization,
  caller: Identity | null,
  now: Date = new Date(),
) {
  const { id, account, description, scope, createdAt, expiresAt } = authorization
  const { id: accountId, email } = must(account, 'account of an authorization')
  const lastsSeconds = expiresAt
    ? Math.max(0, Math.round((timestampDate(expiresAt).getTime() - now.getTime()) / 1_000))
    : null
  return {
    access_token: { expires_in: lastsSeconds, id, token: shownToken(authorization, caller) },
    client: null,
    created_at: isoTime(createdAt),
    description,
    grant: null,
    id,
    refresh_token: null,
    scope: scope.length > 0 ? scope : ['global'],
    session: null,
    updated_at: isoTime(createdAt),
    user: { id: accountId, email, full_name: null },
  }
}

function shownToken({ id, token, tokenHint }: Authorization, caller: Identity | null): string {
  if (token !== '') return token
  if (caller?.authorizationId === id) return caller.token
  // Without a hint the redacted form would fit every token, and `heroku logout` would revoke all.
  return tokenHint === '' ? `${redaction}${id}` : `HRKU-${redaction}${tokenHint}`
}
