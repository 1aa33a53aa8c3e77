// Every subject on NATS is spelled here and nowhere else; who may use which is in nats-permissions.ts.

/**
 * Names of the services that answer requests. Our own providers answer the broker under
 * `provider.<name>`, and the api under `data.<name>`.
 */
export type RpcServiceName =
  | 'apps'
  | 'broker'
  | 'logplex'
  | 'webhooks'
  | `provider.${string}`
  | 'data.postgres'
  | 'data.redis'

/** Requests: plexus.rpc.<service>.<Method>. */
export const rpcPrefix = (service: RpcServiceName): string => `plexus.rpc.${service}`

/** Facts on JetStream: plexus.events.<fact in snake_case>. */
export const eventsStream = 'PLEXUS_EVENTS'
export const eventSubject = (fact: string): string => `plexus.events.${fact}`
export const allEvents = 'plexus.events.>'

/** Who follows the facts, by user, and the name of its durable consumer. */
export const durables = {
  broker: 'broker-apps',
  logplex: 'logplex',
  webhooks: 'webhooks',
} as const

/** Doorbell of the logs: "this app's log has grown to this number" (logplex to logplex). */
export const logGrewSubject = (shard: number): string => `plexus.log.grew.${shard}`
export const allLogGrew = 'plexus.log.grew.*'

/** "Channels, tokens or drains have changed: read them again" (logplex to logplex). */
export const logplexChanged = 'plexus.log.changed'

/** Where answers to a user's requests arrive; nobody else may listen there. */
export const inboxPrefix = (user: string): string => `_INBOX_${user}`
