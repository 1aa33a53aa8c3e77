import type { NatsConnection } from '@nats-io/transport-node'
import type { Log } from '#lib/log.ts'
import { providerHandlers } from '#lib/provider/provider-handlers.ts'
import { serveRpc } from '#lib/rpc.ts'
import type { WorkflowRunner } from '#lib/workflow/workflow-runner.ts'
import { ProviderService } from '#proto/provider/v1/provider_pb.ts'
import { instanceRotation } from './credential-rotation.ts'
import {
  assertFits,
  assertRoom,
  changedMessage,
  instanceConfig,
  instanceTable,
  type InstancesContext,
} from './instances.ts'
import { changeInstancePlan } from './workflows/change-plan.ts'
import { deprovisionInstance } from './workflows/deprovision.ts'
import { provisionInstance } from './workflows/provision.ts'

/** Answers as provider.redis. `publicHost` is this machine's name for customers. */
export async function serveProvider(
  nats: NatsConnection,
  options: { context: InstancesContext; runner: WorkflowRunner; publicHost: string; log: Log },
): Promise<() => Promise<void>> {
  const { context, runner, publicHost, log } = options
  const { pool, secrets, plans } = context
  return serveRpc(nats, {
    name: 'provider.redis',
    service: ProviderService,
    log,
    handlers: providerHandlers({
      pool,
      runner,
      table: instanceTable(secrets),
      plans,
      workflows: {
        provision: provisionInstance,
        changePlan: changeInstancePlan,
        deprovision: deprovisionInstance,
      },
      rotation: instanceRotation(secrets),
      configOf: (row) => instanceConfig(context, publicHost, row),
      readyMessage: 'Your Redis instance is ready.',
      assertRoom: () => assertRoom(context),
      assertFits: (row, plan) => assertFits(context, row, plan),
      changedMessage: (row) => changedMessage(context, row),
    }),
  })
}
