import type { NatsConnection } from '@nats-io/transport-node'
import { isPlexusError, unavailable } from '#lib/errors.ts'
import { rpcClient } from '#lib/rpc.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { ProviderService } from '#proto/provider/v1/provider_pb.ts'
import { ownProviderRetry, providerTimeoutMs } from '../limits.ts'
import type { Provider } from './provider.ts'

/** A provider of our own, asked over NATS: "nats://postgres" answers at provider.postgres. */
export function natsProvider(nats: NatsConnection, baseUrl: string): Provider {
  const name = new URL(baseUrl).hostname
  const client = rpcClient(nats, `provider.${name}`, ProviderService)
  const timeoutMs = providerTimeoutMs
  const stateOf = (pending: boolean): 'ask-again' | 'ready' => (pending ? 'ask-again' : 'ready')
  return {
    retry: ownProviderRetry,
    refusalMakesNothing: false,
    // Ours call nobody back, and have nothing to do with logs.
    provision: async ({ uuid, name, plan, region, options, callbackUrl }) => {
      const request = { uuid, name, plan, region, options, callbackUrl }
      const asked = client.provision(request, { timeoutMs })
      const { id, config, message, pending } = await asked.catch(hideOurNames)
      return { state: stateOf(pending), id, config, message, logDrainUrl: '' }
    },
    changePlan: async ({ uuid, id, plan }) => {
      const asked = client.changePlan({ uuid, id, plan }, { timeoutMs })
      const { config, message, pending } = await asked.catch(hideOurNames)
      return { state: stateOf(pending), config, message }
    },
    credentials: {
      rotate: async (request) => {
        const asked = client.rotateCredentials(request, { timeoutMs })
        const { config, pending } = await asked.catch(hideOurNames)
        return { state: stateOf(pending), config, message: '' }
      },
      revoke: async (request) => {
        const asked = client.revokeCredentials(request, { timeoutMs })
        const { pending } = await asked.catch(hideOurNames)
        return { state: stateOf(pending), config: {}, message: '' }
      },
    },
    credentialConfig: async (request) => {
      try {
        return (await client.getCredentialConfig(request, { timeoutMs })).config
      } catch (error) {
        if (isPlexusError(error, ErrorCode.NOT_FOUND)) return undefined
        return hideOurNames(error)
      }
    },
    deprovision: async ({ uuid, id, appId }) => {
      try {
        const { pending } = await client.deprovision({ uuid, id, appId }, { timeoutMs })
        return { state: pending ? 'ask-again' : 'gone' }
      } catch (error) {
        // A provider that has never heard of the resource, or no longer knows it, is done with it.
        if (isPlexusError(error, ErrorCode.NOT_FOUND)) return { state: 'gone' }
        return hideOurNames(error)
      }
    },
    async *listResources() {
      let afterUuid = ''
      for (;;) {
        const { resources } = await client.listResources({ afterUuid }, { timeoutMs })
        const last = resources.at(-1)
        if (!last) return
        yield resources
        afterUuid = last.uuid
      }
    },
  }
}

/** Which subject of ours was asked in vain is nothing that a customer can act upon. */
function hideOurNames(error: unknown): never {
  if (isPlexusError(error, ErrorCode.UNAVAILABLE) && error.cause !== undefined)
    throw unavailable('', error)
  throw error
}
