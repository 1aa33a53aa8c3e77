import type { Manifest } from '#lib/partner-api/manifest.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import type { AddonServiceRow } from './addon-services-db.ts'

/** What the platform and a provider know of each other by the manifest. */
export type PartnerCredentials = Pick<Manifest, 'password' | 'ssoSalt'>

const place = (serviceId: string): string => `addon_services.sealed_credentials ${serviceId}`

/** Empty where the carrier needs none. The same credentials stay sealed as they were. */
export function sealCredentials(
  secrets: Secrets,
  serviceId: string,
  { password, ssoSalt }: PartnerCredentials,
  known: AddonServiceRow | undefined,
): string {
  if (password === '' && ssoSalt === '') return ''
  const before = known && openCredentials(secrets, known)
  if (known && before?.password === password && before.ssoSalt === ssoSalt)
    return known.sealedCredentials
  return secrets.seal(JSON.stringify({ password, ssoSalt }), place(serviceId))
}

export function openCredentials(
  secrets: Secrets,
  { id, sealedCredentials }: Pick<AddonServiceRow, 'id' | 'sealedCredentials'>,
): PartnerCredentials {
  if (sealedCredentials === '') return { password: '', ssoSalt: '' }
  return JSON.parse(secrets.open(sealedCredentials, place(id))) as PartnerCredentials
}
