import type { NatsConnection } from '@nats-io/transport-node'
import type { BackoffOptions } from '#lib/backoff.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import { openCredentials } from '../partner-credentials.ts'
import { httpProvider } from './http-provider.ts'
import { natsProvider } from './nats-provider.ts'
import type { PartnerHttp } from './partner-http.ts'
import type { FindProvider } from './provider.ts'

/** Chooses the carrier by the scheme of the manifest's base_url. */
export function findProviders(options: {
  nats: NatsConnection
  secrets: Secrets
  http: PartnerHttp
  /** How soon providers out there are asked again. */
  retry: BackoffOptions
}): FindProvider {
  const { nats, secrets, http, retry } = options
  return (service) => {
    if (service.baseUrl.startsWith('nats:')) return natsProvider(nats, service.baseUrl)
    const { password } = openCredentials(secrets, service)
    return httpProvider({ ...service, password }, http, retry)
  }
}
