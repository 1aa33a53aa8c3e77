import { createHash, randomBytes } from 'node:crypto'
import type { Transaction } from '#lib/postgres.ts'
import { setClientSecretHash } from './addon-services-db.ts'

/** How secrets are kept that only have to be recognised: they are random, and long. */
export const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex')

/**
 * Makes and stores the secret with which a provider trades its grants; the only time it is seen.
 */
export async function newClientSecret(tx: Transaction, addonServiceId: string): Promise<string> {
  const secret = randomBytes(24).toString('base64url')
  await setClientSecretHash(tx, addonServiceId, hashOf(secret))
  return secret
}
