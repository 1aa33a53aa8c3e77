import type { Log } from '#lib/log.ts'
import type { Pool } from '#lib/postgres.ts'
import type { RpcClient } from '#lib/rpc.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import type { WorkflowRunner } from '#lib/workflow/workflow-runner.ts'
import type { AppsService } from '#proto/apps/v1/apps_pb.ts'
import type { LogplexService } from '#proto/logplex/v1/logplex_pb.ts'
import type { FindProvider } from './providers/provider.ts'

/** What the steps of the broker's workflows work with. */
export type StepContext = {
  pool: Pool
  secrets: Secrets
  apps: RpcClient<typeof AppsService>
  logplex: RpcClient<typeof LogplexService>
  findProvider: FindProvider
  /** Origin of the api, for the providers' call-backs. */
  apiUrl: string
  /** How long former credentials stay good after new ones are published. */
  rotationOverlapSeconds: number
  log: Log
}

/** What requests work with: they write wishes and workflows, and wait for their end. */
export type BrokerContext = StepContext & { runner: WorkflowRunner }

/** Who asks, as the api has authenticated; both empty when the platform itself acts. */
export type Actor = { accountId: string; email: string }

export const platformActor: Actor = { accountId: '', email: '' }
