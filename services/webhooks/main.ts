import { assertMigrated } from '#lib/migrate.ts'
import { connectNats } from '#lib/nats.ts'
import { openPool } from '#lib/postgres.ts'
import { rpcClient, serveRpc } from '#lib/rpc.ts'
import { runService, type Lifecycle } from '#lib/run-service.ts'
import { assertMasterKey } from '#lib/secrets/master-keys-db.ts'
import { loadSecrets } from '#lib/secrets/secrets.ts'
import { AppsService } from '#proto/apps/v1/apps_pb.ts'
import { BrokerService } from '#proto/broker/v1/broker_pb.ts'
import { WebhooksService } from '#proto/webhooks/v1/webhooks_pb.ts'
import { settings, type WebhooksConfig } from './config.ts'
import { followFacts } from './follow-facts.ts'
import { startHousekeeping } from './housekeeping.ts'
import { leaseMarginMs, stopMs } from './limits.ts'
import { openReceiverHttp } from './receiver-http.ts'
import { migrations, schema } from './schema.ts'
import { startSender } from './sender.ts'
import { webhooksHandlers } from './webhooks-rpc.ts'

/** Starts the service that tells others what happens to apps and add-ons. */
export async function start(config: WebhooksConfig, lifecycle: Lifecycle): Promise<void> {
  const { log } = lifecycle
  const pool = openPool({ url: config.databaseUrl, schema, log })
  lifecycle.onStop('postgres', () => pool.end())
  await assertMigrated(pool, schema, migrations)
  const secrets = await loadSecrets(config.masterKeyFile)
  await assertMasterKey(pool, secrets)

  const nats = await connectNats(config.natsUrl, 'webhooks', log)
  lifecycle.onStop('nats', () => nats.drain())

  const { mayBeLocal } = config
  const answerMs = config.answerSeconds * 1000
  const http = openReceiverHttp({ mayBeLocal, answerMs })
  lifecycle.onStop('connections to receivers', http.close)
  const retryMs = config.retrySeconds * 1000
  const sending = { pool, secrets, http, retryMs, leaseMs: answerMs + leaseMarginMs, stopMs, log }
  const sender = startSender(sending)
  lifecycle.onStop('sender', sender.stop)

  const context = {
    ...{ pool, secrets, mayBeLocal, log },
    apps: rpcClient(nats, 'apps', AppsService),
    broker: rpcClient(nats, 'broker', BrokerService),
    apiUrl: config.apiUrl.replace(/\/+$/, ''),
    wakeSender: sender.wake,
  }
  const facts = await followFacts(nats, context)
  lifecycle.onStop('facts', facts.stop)
  lifecycle.onStop('housekeeping', startHousekeeping(context))

  const handlers = webhooksHandlers(context)
  const stopRpc = await serveRpc(nats, {
    name: 'webhooks',
    service: WebhooksService,
    handlers,
    log,
  })
  lifecycle.onStop('rpc', stopRpc)
}

if (import.meta.main) await runService('webhooks', settings, start)
