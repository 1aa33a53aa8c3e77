import type { Log } from '#lib/log.ts'
import type { Pool } from '#lib/postgres.ts'
import type { RpcClient } from '#lib/rpc.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import type { AppsService } from '#proto/apps/v1/apps_pb.ts'
import type { BrokerService } from '#proto/broker/v1/broker_pb.ts'

/** What the rules of this service work with; made in main.ts. */
export type WebhooksContext = {
  pool: Pool
  secrets: Secrets
  apps: Pick<RpcClient<typeof AppsService>, 'filterApps'>
  broker: Pick<RpcClient<typeof BrokerService>, 'getPartnerAddon'>
  /** Whether receivers may be at loopback and private addresses. */
  mayBeLocal: boolean
  /** Origin of the api, for the links in what is told. */
  apiUrl: string
  /** Says that something may be due. */
  wakeSender: () => void
  log: Log
}
