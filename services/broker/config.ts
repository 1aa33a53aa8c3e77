import {
  addonManifests,
  flag,
  integer,
  secret,
  text,
  type ConfigOf,
  workflowLease,
} from '#lib/config.ts'

export const settings = {
  natsUrl: secret('PLEXUS_NATS_URL', { help: 'nats://user:password@host:port of the broker' }),
  databaseUrl: secret('PLEXUS_DATABASE_URL', { help: "postgres url with the broker's own role" }),
  masterKeyFile: text('PLEXUS_MASTER_KEY_FILE', { help: 'file with the keys that seal values' }),
  apiUrl: text('PLEXUS_API_URL', { help: 'where providers call back: the origin of the api' }),
  providersMayBeLocal: flag('PLEXUS_PROVIDERS_MAY_BE_LOCAL', {
    fallback: false,
    help: 'whether providers may be at loopback and private addresses',
  }),
  providerAnswerSeconds: integer('PLEXUS_PROVIDER_ANSWER_SECONDS', {
    fallback: 60,
    help: 'how long a provider may take to answer one call over HTTP',
  }),
  providerRetrySeconds: integer('PLEXUS_PROVIDER_RETRY_SECONDS', {
    fallback: 5,
    help: 'how soon a provider is asked again that gave no answer; doubled each time, to an hour',
  }),
  rotationOverlapSeconds: integer('PLEXUS_ROTATION_OVERLAP_SECONDS', {
    fallback: 1800,
    help: 'how long former credentials stay good after new ones are published, a day at most',
  }),
  manifestsDir: addonManifests,
  workflowLeaseSeconds: workflowLease,
}

export type BrokerConfig = ConfigOf<typeof settings>
