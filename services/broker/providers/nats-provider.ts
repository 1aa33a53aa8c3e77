import type { NatsConnection } from '@nats-io/transport-node'
import { isPlexusError } from '#lib/errors.ts'
import { rpcClient } from '#lib/rpc.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { ProviderService } from '#proto/provider/v1/provider_pb.ts'
import { providerTimeoutMs } from '../limits.ts'
import type { Provider } from './provider.ts'

/** A provider of our own, asked over NATS: "nats://postgres" answers at provider.postgres. */
export function natsProvider(nats: NatsConnection, baseUrl: string): Provider {
  const name = new URL(baseUrl).hostname
  const client = rpcClient(nats, `provider.${name}`, ProviderService)
  const timeoutMs = providerTimeoutMs
  return {
    provision: async (request) => {
      const { id, config, message, pending } = await client.provision(request, { timeoutMs })
      return { state: pending ? 'pending' : 'ready', id, config, message }
    },
    deprovision: async (request) => {
      try {
        const { pending } = await client.deprovision(request, { timeoutMs })
        return pending ? 'pending' : 'gone'
      } catch (error) {
        // A provider that has never heard of the resource, or no longer knows it, is done with it.
        if (isPlexusError(error, ErrorCode.NOT_FOUND)) return 'gone'
        throw error
      }
    },
  }
}
