import type { NatsConnection } from '@nats-io/transport-node'
import { invalidParams, PlexusError, unavailable } from '#lib/errors.ts'
import { silentLog } from '#lib/log.ts'
import { serveRpc } from '#lib/rpc.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { ProviderService } from '#proto/provider/v1/provider_pb.ts'

/**
 * An add-on provider that misbehaves as it is told by the add-on's options:
 * `pending` and `busy`: so many answers "pending", or UNAVAILABLE, before it is ready;
 * `bug`: so many times INTERNAL, after the resource is made; `refuse`: it refuses with that text;
 * `undeclared`: it answers a variable that its manifest does not declare; `hold`: it answers only
 * when released; `credential`: the name of the one credential that its customer has named;
 * `linger`: so many answers "pending" to the removal. With `Change` behind them (`busyChange`) the
 * same for a change of plan; `moves`: it answers new variables to that. With `Rotation` behind them
 * the same for new credentials, and for the end of the former.
 */
export type TestProvider = {
  /** What it has now: uuids of resources. */
  resources: Map<string, TestResource>
  /**
   * Every call that arrived, as "provision <uuid>", "change-plan <uuid>" or "deprovision <uuid>".
   */
  calls: string[]
  /** Calls for that uuid that it works on now. */
  inFlight: (uuid: string) => number
  /** Lets the calls of that uuid that are held go on, now and later. */
  release: (uuid: string) => void
  stop: () => Promise<void>
}

/** Small, so that tests see more than one page. */
const resourcesPageMax = 2

type TestResource = {
  plan: string
  options: Record<string, string>
  /** Of the newest credentials. */
  rotationId?: string
  /** Of the newest of the named credential. */
  namedRotationId?: string
  /** The credentials before them are good. */
  former?: boolean
  /** What the last revocation was asked for. */
  everySession?: boolean
}

export async function serveTestProvider(
  nats: NatsConnection,
  name: string,
  configVar: string,
): Promise<TestProvider> {
  const resources: TestProvider['resources'] = new Map()
  const lingers = new Map<string, number>()
  const calls: string[] = []
  const inFlight = new Map<string, number>()
  const gates = new Map<string, PromiseWithResolvers<void>>()
  const gate = (uuid: string): PromiseWithResolvers<void> => {
    const known = gates.get(uuid) ?? Promise.withResolvers<void>()
    gates.set(uuid, known)
    return known
  }
  const counted = async <T>(call: string, uuid: string, work: () => Promise<T>): Promise<T> => {
    calls.push(`${call} ${uuid}`)
    inFlight.set(uuid, (inFlight.get(uuid) ?? 0) + 1)
    try {
      return await work()
    } finally {
      inFlight.set(uuid, (inFlight.get(uuid) ?? 1) - 1)
    }
  }

  const stop = await serveRpc(nats, {
    name: `provider.${name}`,
    service: ProviderService,
    log: silentLog,
    handlers: {
      provision: ({ uuid, plan, options }) =>
        counted('provision', uuid, async () => {
          const tries = calls.filter((call) => call === `provision ${uuid}`).length
          if (options['hold']) await gate(uuid).promise
          if (options['refuse']) throw invalidParams(options['refuse'])
          if (tries <= Number(options['busy'] ?? 0)) throw unavailable('Busy.')
          resources.set(uuid, { plan, options })
          lingers.set(uuid, Number(options['linger'] ?? 0))
          if (tries <= Number(options['bug'] ?? 0)) throw new Error('a bug of the provider')
          if (tries <= Number(options['pending'] ?? 0))
            return { id: `r-${uuid}`, pending: true, message: 'Being made.' }
          const name = options['undeclared'] ? 'SOMETHING_ELSE' : configVar
          return { id: `r-${uuid}`, config: { [name]: `test://${uuid}` }, message: 'Made.' }
        }),
      changePlan: ({ uuid, plan }) =>
        counted('change-plan', uuid, async () => {
          const tries = calls.filter((call) => call === `change-plan ${uuid}`).length
          const resource = resources.get(uuid)
          if (!resource) throw new PlexusError(ErrorCode.NOT_FOUND, 'Gone.')
          const { options } = resource
          if (options['holdChange']) await gate(uuid).promise
          if (options['refuseChange']) throw invalidParams(options['refuseChange'])
          if (tries <= Number(options['busyChange'] ?? 0)) throw unavailable('Busy.')
          resources.set(uuid, { plan, options })
          if (tries <= Number(options['bugChange'] ?? 0)) throw new Error('a bug of the provider')
          if (tries <= Number(options['pendingChange'] ?? 0)) return { pending: true }
          const config = options['moves'] ? { [configVar]: `test://${uuid}/${plan}` } : {}
          return { config, message: `Now ${plan}.` }
        }),
      rotateCredentials: ({ uuid, rotationId, credential }) =>
        counted('rotate', uuid, async () => {
          const tries = calls.filter((call) => call === `rotate ${uuid}`).length
          const resource = resources.get(uuid)
          if (!resource) throw new PlexusError(ErrorCode.NOT_FOUND, 'Gone.')
          const { options } = resource
          if (options['refuseRotation']) throw invalidParams(options['refuseRotation'])
          if (tries <= Number(options['busyRotation'] ?? 0)) throw unavailable('Busy.')
          const rotated = { ...resource, former: true }
          if (credential === '' || credential === 'default') rotated.rotationId = rotationId
          if (credential !== 'default') rotated.namedRotationId = rotationId
          resources.set(uuid, rotated)
          if (tries <= Number(options['pendingRotation'] ?? 0)) return { pending: true }
          const newest = rotated.rotationId === undefined ? '' : `/${rotated.rotationId}`
          return { config: { [configVar]: `test://${uuid}${newest}` } }
        }),
      revokeCredentials: ({ uuid, everySession }) =>
        counted('revoke', uuid, async () => {
          const tries = calls.filter((call) => call === `revoke ${uuid}`).length
          const resource = resources.get(uuid)
          if (!resource) return {}
          if (tries <= Number(resource.options['busyRotation'] ?? 0)) throw unavailable('Busy.')
          resources.set(uuid, { ...resource, former: false, everySession })
          return { pending: tries <= Number(resource.options['pendingRotation'] ?? 0) }
        }),
      getCredentialConfig: async ({ uuid, name }) => {
        const resource = resources.get(uuid)
        if (resource?.options['credential'] !== name)
          throw new PlexusError(ErrorCode.NOT_FOUND, 'No such credential.')
        const { namedRotationId = '' } = resource
        return { config: { [configVar]: `test://${uuid}/${name}${namedRotationId}` } }
      },
      deprovision: ({ uuid }) =>
        counted('deprovision', uuid, async () => {
          const tries = calls.filter((call) => call === `deprovision ${uuid}`).length
          const resource = resources.get(uuid)
          if (!resource) throw new PlexusError(ErrorCode.NOT_FOUND, 'Gone.')
          const { options } = resource
          if (tries <= Number(options['busyRemoval'] ?? 0)) throw unavailable('Busy.')
          const left = lingers.get(uuid) ?? 0
          lingers.set(uuid, left - 1)
          if (left > 0) return { pending: true }
          resources.delete(uuid)
          if (options['bugRemoval']) throw new Error('a bug of the provider')
          return {}
        }),
      listResources: async ({ afterUuid }) => ({
        resources: [...resources]
          .filter(([uuid]) => uuid > afterUuid)
          .toSorted(([a], [b]) => (a < b ? -1 : 1))
          .slice(0, resourcesPageMax)
          .map(([uuid, { plan }]) => ({ uuid, plan, ready: true })),
      }),
    },
  })
  return {
    resources,
    calls,
    inFlight: (uuid) => inFlight.get(uuid) ?? 0,
    release: (uuid) => gate(uuid).resolve(),
    stop: async () => {
      for (const { resolve } of gates.values()) resolve()
      await stop()
    },
  }
}
