import type { NatsConnection } from '@nats-io/transport-node'
import type { Log } from '#lib/log.ts'
import { providerHandlers } from '#lib/provider/provider-handlers.ts'
import { serveRpc } from '#lib/rpc.ts'
import type { WorkflowRunner } from '#lib/workflow/workflow-runner.ts'
import { ProviderService } from '#proto/provider/v1/provider_pb.ts'
import { databaseRotation } from './credential-rotation.ts'
import {
  assertFits,
  changedMessage,
  configOf,
  databaseConfig,
  databaseTable,
  type DatabasesContext,
} from './databases.ts'
import { viewNamedCredentials } from './named-credentials.ts'
import { changeDatabasePlan } from './workflows/change-plan.ts'
import { deprovisionDatabase } from './workflows/deprovision.ts'
import { provisionDatabase } from './workflows/provision.ts'

/** Answers as provider.postgres. `host` is the add-on server's name for customers. */
export async function serveProvider(
  nats: NatsConnection,
  options: { context: DatabasesContext; runner: WorkflowRunner; host: string; log: Log },
): Promise<() => Promise<void>> {
  const { context, runner, host, log } = options
  const { pool, secrets, server, plans } = context
  return serveRpc(nats, {
    name: 'provider.postgres',
    service: ProviderService,
    log,
    handlers: providerHandlers({
      pool,
      runner,
      table: databaseTable(context),
      plans,
      workflows: {
        provision: provisionDatabase,
        changePlan: changeDatabasePlan,
        deprovision: deprovisionDatabase,
      },
      rotation: databaseRotation(secrets),
      configOf: (row) => databaseConfig({ secrets, server, host }, row),
      credentialConfigOf: async (row, name) => {
        const credentials = await viewNamedCredentials(context, host, row)
        const found = credentials.find((credential) => credential.name === name)
        return found?.state === 'active' ? configOf(found.credential) : undefined
      },
      readyMessage: 'Your database is ready.',
      assertFits: (row, plan) => assertFits(context, row, plan),
      changedMessage: (row) => changedMessage(plans, row),
    }),
  })
}
