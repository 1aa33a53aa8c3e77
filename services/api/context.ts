import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Log } from '#lib/log.ts'
import type { RpcClient } from '#lib/rpc.ts'
import type { AppsService } from '#proto/apps/v1/apps_pb.ts'
import type { BrokerService } from '#proto/broker/v1/broker_pb.ts'
import type { PostgresDataService, RedisDataService } from '#proto/data/v1/data_pb.ts'
import type { LogplexService } from '#proto/logplex/v1/logplex_pb.ts'
import type { WebhooksService } from '#proto/webhooks/v1/webhooks_pb.ts'

/** What every route is given: the services behind the gateway, and how clients see us. */
export type ApiContext = {
  apps: RpcClient<typeof AppsService>
  broker: RpcClient<typeof BrokerService>
  logplex: RpcClient<typeof LogplexService>
  webhooks: RpcClient<typeof WebhooksService>
  /** Our own providers, about add-ons that the broker lets the caller see. */
  postgresData: RpcClient<typeof PostgresDataService>
  redisData: RpcClient<typeof RedisDataService>
  /** Without a slash at its end. */
  publicUrl: string
  log: Log
}

/** The Fastify instance on which routes are registered: request schemas give the types. */
export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>
