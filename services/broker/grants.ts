import { randomBytes, randomUUID } from 'node:crypto'
import { badRequest, unauthorized } from '#lib/errors.ts'
import type { AddonId } from '#lib/ids.ts'
import { partnerTokenPrefix } from '#lib/partner-api/access-token.ts'
import type { PartnerGrant } from '#lib/partner-api/partner-calls.ts'
import { transaction, type Pool, type Queryable } from '#lib/postgres.ts'
import { findServiceByClientSecret } from './addon-services-db.ts'
import { hashOf } from './client-secret.ts'
import { deleteGrant, endOldAccessTokens, findGrant, insertGrant } from './grants-db.ts'
import { accessTokenSeconds, accessTokensPerAddonMax, grantCodeSeconds } from './limits.ts'

export type PartnerTokens = {
  accessToken: string
  refreshToken: string
  /** Seconds. */
  expiresIn: number
  /** The add-on: it is nobody's account that asks. */
  userId: AddonId
}

/** A code that the provider of the add-on may trade for tokens once, within minutes. */
export async function newGrant(db: Queryable, addonId: AddonId): Promise<PartnerGrant> {
  const code = randomUUID()
  const secretHash = hashOf(code)
  await insertGrant(db, { secretHash, addonId, kind: 'code', seconds: grantCodeSeconds })
  const expiresAt = new Date(Date.now() + grantCodeSeconds * 1000)
  return { code, expires_at: expiresAt.toISOString(), type: 'authorization_code' }
}

/**
 * Trades a code, or a refresh token, for an access token. There is no client id: the secret says
 * which service asks, and a grant of another service's add-on is unknown to it.
 *
 * @throws PlexusError UNAUTHORIZED for a wrong secret, BAD_REQUEST for a grant that is none.
 */
export function tradeGrant(
  pool: Pool,
  request: { grantType: string; code: string; refreshToken: string; clientSecret: string },
): Promise<PartnerTokens> {
  const { grantType, code, refreshToken, clientSecret } = request
  return transaction(pool, async (tx) => {
    const service = await findServiceByClientSecret(tx, hashOf(clientSecret))
    if (clientSecret === '' || !service)
      throw unauthorized(
        'The client_secret is not that of an add-on service. It was shown at the first push of the' +
          ' manifest; renew it if it is lost.',
      )
    const find = (secret: string, kind: 'code' | 'refresh') =>
      findGrant(tx, { secretHash: hashOf(secret), kind, addonServiceId: service.id })
    if (grantType === 'authorization_code') {
      const addonId = await find(code, 'code')
      if (!addonId || !(await deleteGrant(tx, hashOf(code))))
        throw badRequest('The code is unknown, was used before, or is older than five minutes.')
      const fresh = newToken('')
      const secretHash = hashOf(fresh)
      await insertGrant(tx, { secretHash, addonId, kind: 'refresh', seconds: null })
      return newAccessToken(tx, addonId, fresh)
    }
    if (grantType !== 'refresh_token')
      throw badRequest('The grant_type is authorization_code or refresh_token.')
    const addonId = await find(refreshToken, 'refresh')
    if (!addonId) throw badRequest('The refresh_token is unknown, or its add-on is gone.')
    return newAccessToken(tx, addonId, refreshToken)
  })
}

async function newAccessToken(
  db: Queryable,
  addonId: AddonId,
  refreshToken: string,
): Promise<PartnerTokens> {
  const accessToken = newToken(partnerTokenPrefix)
  const seconds = accessTokenSeconds
  await insertGrant(db, { secretHash: hashOf(accessToken), addonId, kind: 'access', seconds })
  await endOldAccessTokens(db, addonId, accessTokensPerAddonMax)
  return { accessToken, refreshToken, expiresIn: accessTokenSeconds, userId: addonId }
}

const newToken = (prefix: string): string => `${prefix}${randomBytes(24).toString('base64url')}`

/** The add-on that an access token is for. */
export async function addonOfToken(db: Queryable, accessToken: string): Promise<AddonId> {
  const addonId = await findGrant(db, { secretHash: hashOf(accessToken), kind: 'access' })
  if (!addonId) throw unauthorized('Invalid credentials provided.')
  return addonId
}
