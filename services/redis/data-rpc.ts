import type { NatsConnection } from '@nats-io/transport-node'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { parseId, type AddonId } from '#lib/ids.ts'
import type { Log } from '#lib/log.ts'
import { serveRpc, type RpcHandlers } from '#lib/rpc.ts'
import { shareWork } from '#lib/shared-work.ts'
import type { WorkflowRunner } from '#lib/workflow/workflow-runner.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
import { RedisDataService, type InstanceObservationSchema } from '#proto/data/v1/data_pb.ts'
import { configureInstance } from './configure.ts'
import { findInstance } from './instances-db.ts'
import {
  assertReady,
  credentialOf,
  instanceNotFound,
  instanceOf,
  type InstancesContext,
} from './instances.ts'
import { looksMax } from './limits.ts'
import { observeInstance, type Observation } from './observation.ts'

type DataOptions = {
  context: InstancesContext
  runner: WorkflowRunner
  publicHost: string
  log: Log
}

/** Answers the api as data.redis. `publicHost` is this machine's name for customers. */
export async function serveData(
  nats: NatsConnection,
  options: DataOptions,
): Promise<() => Promise<void>> {
  return serveRpc(nats, {
    name: 'data.redis',
    service: RedisDataService,
    log: options.log,
    handlers: dataHandlers(options),
  })
}

function dataHandlers({
  context,
  runner,
  publicHost,
}: DataOptions): RpcHandlers<typeof RedisDataService> {
  const { pool, host } = context
  // An instance has one connection for us: two looks at a time would take a customer's.
  const share = shareWork<AddonId, Observation | undefined>(looksMax)

  return {
    async getInstance({ addonId }) {
      const row = assertReady(await findInstance(pool, parseAddonId(addonId)))
      const running = await getRunningWorkflow(pool, row.addonId)
      const instance = instanceOf(context, row)
      const seen = await share(row.addonId, () => observeInstance(host, instance))
      return {
        credential: credentialOf(instance, publicHost, 'redis'),
        changing: running !== undefined,
        connectionsMax: instance.plan.connectionsMax,
        memoryBytesMax: BigInt(instance.plan.memoryBytesMax),
        settings: instance.tuning,
        ...(instance.tls && { tlsCredential: credentialOf(instance, publicHost, 'rediss') }),
        ...(seen && { observation: observationMessage(seen) }),
      }
    },
    configureInstance: async ({ addonId, ...change }) =>
      configureInstance({ pool, runner }, parseAddonId(addonId), {
        ...(change.maxmemoryPolicy !== undefined && { maxmemoryPolicy: change.maxmemoryPolicy }),
        ...(change.timeoutSeconds !== undefined && { timeoutSeconds: change.timeoutSeconds }),
        ...(change.notifyKeyspaceEvents !== undefined && {
          notifyKeyspaceEvents: change.notifyKeyspaceEvents,
        }),
      }),
  }
}

function observationMessage(seen: Observation): MessageInitShape<typeof InstanceObservationSchema> {
  return { ...seen, memoryBytes: BigInt(seen.memoryBytes) }
}

function parseAddonId(text: string): AddonId {
  const addonId = parseId<AddonId>(text)
  if (!addonId) throw instanceNotFound()
  return addonId
}
