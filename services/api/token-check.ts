import { createHash } from 'node:crypto'
import { must } from '#lib/assert.ts'
import { isPlexusError } from '#lib/errors.ts'
import { partnerTokenPrefix } from '#lib/partner-api/access-token.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { ApiRefusal } from './api-refusal.ts'
import type { ApiContext } from './context.ts'
import type { BasicCredentials } from './hooks/authenticate.ts'
import type { Identity, PartnerIdentity, ProviderIdentity } from './hooks/identity.ts'
import { bucketsMax, goodTokensMax } from './limits.ts'
import { wrongTokensPerPeerMax, wrongTokensPerPeerPerMinute } from './limits.ts'
import { createTokenBuckets } from './token-buckets.ts'

/**
 * Trades a token for its account; `peer` is the address it came from.
 * @throws PlexusError UNAUTHORIZED for an unknown or expired token, ApiRefusal rate_limit when the
 * peer has sent too many such.
 */
export type CheckToken = (peer: string, token: string) => Promise<Identity>

/** The same for an access token of an add-on's provider. */
export type CheckPartner = (peer: string, token: string) => Promise<PartnerIdentity>

/** The same for the id and the password of a provider's manifest. */
export type CheckProvider = (
  peer: string,
  credentials: BasicCredentials,
) => Promise<ProviderIdentity>

export const isPartnerToken = (token: string): boolean => token.startsWith(partnerTokenPrefix)

/**
 * Asks the apps service about each token, for it may have been revoked, but no longer on behalf of
 * a peer whose tokens are wrong again and again: each question costs a query. Tokens that were
 * good the last time are still asked about, since one peer may be a proxy or an office, where one
 * client must not shut out all others.
 */
export function createTokenChecks({ apps, broker }: Pick<ApiContext, 'apps' | 'broker'>): {
  checkToken: CheckToken
  checkPartner: CheckPartner
  checkProvider: CheckProvider
} {
  const checkToken = createCheck(async (token: string) => {
    const { account, authorizationId } = await apps.authenticate({ token })
    const { id, email } = must(account, 'account of an authentication')
    return { accountId: id, email, authorizationId, token }
  })
  const checkPartner = createCheck((accessToken: string) =>
    broker.authenticatePartner({ accessToken }),
  )
  const checkProvider = createCheck(({ user, password }: BasicCredentials) =>
    broker.authenticateProvider({ addonService: user, password }),
  )
  return { checkToken, checkPartner, checkProvider }
}

function createCheck<Secret, T>(
  ask: (secret: Secret) => Promise<T>,
): (peer: string, secret: Secret) => Promise<T> {
  const wrong = createTokenBuckets({
    capacity: wrongTokensPerPeerMax,
    perMinute: wrongTokensPerPeerPerMinute,
    keysMax: bucketsMax,
  })
  // In the order of last use; digests, so that no token lies about in memory.
  const good = new Set<string>()

  return async (peer, secret) => {
    const digest = createHash('sha256').update(JSON.stringify(secret)).digest('base64')
    if (!good.has(digest) && wrong.remaining(peer) < 1)
      throw new ApiRefusal(
        'rate_limit',
        'Too many requests with a wrong token came from your address. Wait a minute and try again.',
      )
    try {
      const identity = await ask(secret)
      remember(good, digest)
      return identity
    } catch (error) {
      if (isPlexusError(error, ErrorCode.UNAUTHORIZED)) {
        good.delete(digest)
        wrong.take(peer)
      }
      throw error
    }
  }
}

function remember(good: Set<string>, digest: string): void {
  good.delete(digest)
  good.add(digest)
  if (good.size <= goodTokensMax) return
  const oldest = good.keys().next()
  if (!oldest.done) good.delete(oldest.value)
}
