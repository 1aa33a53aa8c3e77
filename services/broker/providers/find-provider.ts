import type { NatsConnection } from '@nats-io/transport-node'
import type { BackoffOptions } from '#lib/backoff.ts'
import { unavailable } from '#lib/errors.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import { callsPerServiceMax } from '../limits.ts'
import { openCredentials } from '../partner-credentials.ts'
import { httpProvider } from './http-provider.ts'
import { natsProvider } from './nats-provider.ts'
import { osbProvider } from './osb-provider.ts'
import type { PartnerHttp } from './partner-http.ts'
import type { FindProvider } from './provider.ts'

/** Chooses the carrier by the scheme of the manifest's base_url, and by its api.version. */
export function findProviders(options: {
  nats: NatsConnection
  secrets: Secrets
  http: PartnerHttp
  /** How soon providers out there are asked again. */
  retry: BackoffOptions
}): FindProvider {
  const { nats, secrets, http, retry } = options
  const callsOf = new Map<string, number>()
  const boundedHttp =
    (serviceId: string): PartnerHttp =>
    async (call) => {
      const calls = callsOf.get(serviceId) ?? 0
      if (calls >= callsPerServiceMax)
        throw unavailable(
          'It has as many calls to answer as it may at a time.',
          new Error('bounded'),
        )
      callsOf.set(serviceId, calls + 1)
      try {
        return await http(call)
      } finally {
        const left = (callsOf.get(serviceId) ?? 1) - 1
        if (left > 0) callsOf.set(serviceId, left)
        else callsOf.delete(serviceId)
      }
    }
  return (service) => {
    if (service.baseUrl.startsWith('nats:')) return natsProvider(nats, service.baseUrl)
    const { password, username } = openCredentials(secrets, service)
    const bounded = boundedHttp(service.id)
    if (service.apiVersion === 'osb') {
      const serviceId = service.providerServiceId
      return osbProvider({ ...service, username, password, serviceId }, bounded, retry)
    }
    return httpProvider({ ...service, password }, bounded, retry)
  }
}
