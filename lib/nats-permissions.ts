import { allEvents, allLogGrew, eventsStream, logplexChanged, rpcPrefix } from '#lib/subjects.ts'

/** Who connects to NATS: each has a user and a password of its own. */
export const natsUsers = [
  'apps',
  'api',
  'broker',
  'logplex',
  'operator',
  'postgres',
  'redis',
] as const
export type NatsUser = (typeof natsUsers)[number]

type Permissions = { publish: string[]; subscribe: string[] }

// Answers to requests and the service framework's discovery; every user needs them.
const answering = ['_INBOX.>', '_R_.>', '$SRV.>']
const consuming = [
  `$JS.API.CONSUMER.>`,
  `$JS.API.STREAM.INFO.${eventsStream}`,
  `$JS.ACK.${eventsStream}.>`,
  '$JS.API.INFO',
]
const serving = (name: Parameters<typeof rpcPrefix>[0]): string => `${rpcPrefix(name)}.>`

function permissions(serves: string[], asks: string[]): Permissions {
  return { publish: ['_INBOX.>', '$SRV.>', ...asks], subscribe: [...answering, ...serves] }
}

/**
 * What each service may say and hear, and nothing else. Whoever answers must be able to publish to
 * the asker's inbox; inboxes are unguessable.
 */
export const natsPermissions: Record<NatsUser, Permissions> = {
  operator: { publish: ['>'], subscribe: ['>'] },
  api: permissions([], [serving('apps'), serving('broker'), serving('logplex')]),
  apps: permissions([serving('apps')], [allEvents, ...consuming]),
  broker: permissions(
    [serving('broker')],
    [serving('apps'), serving('logplex'), serving('provider.*'), allEvents, ...consuming],
  ),
  logplex: permissions(
    [serving('logplex'), allLogGrew, logplexChanged],
    [allLogGrew, logplexChanged, allEvents, ...consuming],
  ),
  postgres: permissions([serving('provider.postgres')], []),
  redis: permissions([serving('provider.redis')], []),
}
