import { flag, integer, secret, text, type ConfigOf } from '#lib/config.ts'

export const settings = {
  natsUrl: secret('PLEXUS_NATS_URL', { help: 'NATS, nats://user:password@host:port' }),
  databaseUrl: secret('PLEXUS_DATABASE_URL', {
    help: 'the platform database with the role of this service, postgres://user:password@host/db',
  }),
  masterKeyFile: text('PLEXUS_MASTER_KEY_FILE', {
    help: 'file with the keys that urls and secrets are sealed with at rest',
  }),
  apiUrl: text('PLEXUS_API_URL', {
    help: 'the URL under which clients reach the HTTP API, for the links in what is told',
  }),
  mayBeLocal: flag('PLEXUS_WEBHOOKS_MAY_BE_LOCAL', {
    fallback: false,
    help: 'whether webhooks may reach loopback and private addresses',
  }),
  answerSeconds: integer('PLEXUS_WEBHOOKS_ANSWER_SECONDS', {
    fallback: 10,
    help: 'how long a receiver may take over one attempt, from connecting to its answer',
  }),
  retrySeconds: integer('PLEXUS_WEBHOOKS_RETRY_SECONDS', {
    fallback: 5,
    help: 'how soon a delivery is tried again; doubled each time, to an hour',
  }),
}

export type WebhooksConfig = ConfigOf<typeof settings>
