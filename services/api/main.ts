import { connectNats } from '#lib/nats.ts'
import { rpcClient } from '#lib/rpc.ts'
import { runService, type Lifecycle } from '#lib/run-service.ts'
import { AppsService } from '#proto/apps/v1/apps_pb.ts'
import { BrokerService } from '#proto/broker/v1/broker_pb.ts'
import { PostgresDataService, RedisDataService } from '#proto/data/v1/data_pb.ts'
import { LogplexService } from '#proto/logplex/v1/logplex_pb.ts'
import { WebhooksService } from '#proto/webhooks/v1/webhooks_pb.ts'
import { settings, type ApiConfig } from './config.ts'
import { httpStopMs } from './limits.ts'
import { buildServer } from './server.ts'

/** The gateway: HTTP in, requests over NATS out. It keeps nothing. */
export async function start(config: ApiConfig, lifecycle: Lifecycle): Promise<void> {
  const { log, onStop } = lifecycle
  const nats = await connectNats(config.natsUrl, 'api', log)
  onStop('nats', () => nats.close())

  const context = {
    apps: rpcClient(nats, 'apps', AppsService),
    broker: rpcClient(nats, 'broker', BrokerService),
    logplex: rpcClient(nats, 'logplex', LogplexService),
    webhooks: rpcClient(nats, 'webhooks', WebhooksService),
    postgresData: rpcClient(nats, 'data.postgres', PostgresDataService),
    redisData: rpcClient(nats, 'data.redis', RedisDataService),
    publicUrl: config.publicUrl.replace(/\/+$/, ''),
    log,
  }
  const server = buildServer(context, config.trustedProxies)
  onStop('http', () => server.close(), httpStopMs)
  await server.listen({ host: config.host, port: config.port })
}

if (import.meta.main) await runService('api', settings, start)
