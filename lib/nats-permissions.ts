import {
  allLogGrew,
  durables,
  eventsStream,
  eventSubject,
  inboxPrefix,
  logplexChanged,
  rpcPrefix,
  type RpcServiceName,
} from '#lib/subjects.ts'

/** Who connects to NATS: each has a user and a password of its own. */
export const natsUsers = [
  'api',
  'apps',
  'broker',
  'logplex',
  'operator',
  'postgres',
  'redis',
  'webhooks',
] as const
export type NatsUser = (typeof natsUsers)[number]

type Permissions = { publish: { allow: string[]; deny: string[] }; subscribe: string[] }

const every = (service: RpcServiceName): string => `${rpcPrefix(service)}.>`
const calls = (service: RpcServiceName, ...methods: string[]): string[] =>
  methods.map((method) => `${rpcPrefix(service)}.${method}`)

const tells = (...facts: string[]): string[] => facts.map(eventSubject)

/** Following the facts with the durable consumer that was made for it: no other, and none anew. */
const consuming = (durable: string): string[] => {
  const consumer = `${eventsStream}.${durable}`
  return [
    '$JS.API.INFO',
    `$JS.API.STREAM.INFO.${eventsStream}`,
    `$JS.API.CONSUMER.INFO.${consumer}`,
    `$JS.API.CONSUMER.MSG.NEXT.${consumer}`,
    `$JS.ACK.${consumer}.>`,
  ]
}

// Answering a request needs no right of its own: the server lets whoever was asked answer.
function permissions(
  user: NatsUser,
  rights: { hears?: string[]; says?: string[]; never?: string[] },
): Permissions {
  return {
    publish: { allow: rights.says ?? [], deny: rights.never ?? [] },
    subscribe: [`${inboxPrefix(user)}.>`, '$SRV.>', ...(rights.hears ?? [])],
  }
}

/** What each service may say and hear, and nothing else. */
export const natsPermissions: Record<NatsUser, Permissions> = {
  operator: { publish: { allow: ['>'], deny: [] }, subscribe: ['>'] },
  api: permissions('api', {
    says: [
      ...[every('apps'), every('broker'), every('logplex'), every('webhooks')],
      ...[every('data.postgres'), every('data.redis')],
    ],
    // Accounts are the operator's affair, as is what is said of services and of add-ons that
    // are stuck; attachments are the broker's, and so are the logs of add-ons.
    never: [
      ...calls('apps', 'PutAccount', 'SetAttachment', 'UpdateAttachments', 'RemoveAttachments'),
      ...calls('apps', 'ListAttachments', 'ListAppIds'),
      ...calls('broker', 'SetServiceState', 'ForgetAddon', 'ReconcileAddons'),
      ...calls('logplex', 'EnsureAttachmentToken', 'RemoveAttachmentLogs'),
      ...calls('logplex', 'EnsureAddonDrain', 'RemoveAddonLogs'),
      // Who may write into every log is the operator's to say.
      ...calls('logplex', 'CreateCredential', 'ListCredentials', 'RemoveCredential'),
      ...calls('logplex', 'SetSwitches', 'ListSwitches'),
    ],
  }),
  apps: permissions('apps', {
    hears: [every('apps')],
    says: tells(
      ...['app_created', 'app_updated', 'app_destroyed', 'app_logged', 'release_created'],
      ...['collaborator_added', 'collaborator_removed'],
      // Of an older version; some may still be in the outbox.
      'app_renamed',
    ),
  }),
  broker: permissions('broker', {
    hears: [every('broker')],
    says: [
      ...calls('apps', 'GetApp', 'FilterApps', 'GetConfigVars', 'SetAttachment'),
      ...calls('apps', 'UpdateAttachments', 'RemoveAttachments', 'ListAttachments', 'ListAppIds'),
      ...calls('logplex', 'EnsureAttachmentToken', 'RemoveAttachmentLogs', 'EnsureAddonDrain'),
      ...calls('logplex', 'ListAddonDrains', 'RemoveAddonLogs'),
      every('provider.*'),
      ...tells('addon_changed', 'attachment_changed'),
      ...consuming(durables.broker),
    ],
  }),
  logplex: permissions('logplex', {
    hears: [every('logplex'), allLogGrew, logplexChanged],
    says: [
      ...[allLogGrew, logplexChanged],
      ...calls('apps', 'FilterApps'),
      ...consuming(durables.logplex),
    ],
  }),
  postgres: permissions('postgres', {
    hears: [every('provider.postgres'), every('data.postgres')],
  }),
  redis: permissions('redis', {
    hears: [every('provider.redis'), every('data.redis')],
  }),
  webhooks: permissions('webhooks', {
    hears: [every('webhooks')],
    says: [
      ...calls('apps', 'FilterApps'),
      ...calls('broker', 'GetPartnerAddon'),
      ...consuming(durables.webhooks),
    ],
  }),
}
