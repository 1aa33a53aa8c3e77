import { isDeepStrictEqual } from 'node:util'
import type { Manifest } from '#lib/partner-api/manifest.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import type { AddonServiceRow } from './addon-services-db.ts'

/** What the platform and a provider know of each other by the manifest. */
export type PartnerCredentials = Pick<Manifest, 'password' | 'ssoSalt'> & {
  /**
   * Who calls, where that is not the service's slug: an Open Service Broker has its own name for
   * it.
   */
  username: string
}

const place = (serviceId: string): string => `addon_services.sealed_credentials ${serviceId}`

/** Empty where the carrier needs none. The same credentials stay sealed as they were. */
export function sealCredentials(
  secrets: Secrets,
  serviceId: string,
  { password, ssoSalt, osb }: Manifest,
  known: AddonServiceRow | undefined,
): string {
  if (password === '' && ssoSalt === '') return ''
  const now: PartnerCredentials = { password, ssoSalt, username: osb?.username ?? '' }
  if (known && isDeepStrictEqual(openCredentials(secrets, known), now))
    return known.sealedCredentials
  return secrets.seal(JSON.stringify(now), place(serviceId))
}

export function openCredentials(
  secrets: Secrets,
  { id, sealedCredentials }: Pick<AddonServiceRow, 'id' | 'sealedCredentials'>,
): PartnerCredentials {
  const none: PartnerCredentials = { password: '', ssoSalt: '', username: '' }
  if (sealedCredentials === '') return none
  const sealed = JSON.parse(secrets.open(sealedCredentials, place(id))) as PartnerCredentials
  // What was sealed before there were user names has none.
  return { ...none, ...sealed }
}
