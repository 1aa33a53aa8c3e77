import { integer, secret, text, type ConfigOf, workflowLease } from '#lib/config.ts'

export const settings = {
  natsUrl: secret('PLEXUS_NATS_URL', { help: 'nats://user:password@host:port' }),
  databaseUrl: secret('PLEXUS_DATABASE_URL', {
    help: "the platform's own database, postgres://user:password@host:port/database",
  }),
  masterKeyFile: text('PLEXUS_MASTER_KEY_FILE', {
    help: 'file with the keys that seal passwords at rest',
  }),
  addonServerUrl: secret('PLEXUS_ADDON_POSTGRES_URL', {
    help: "superuser's url of the server that holds the add-ons' databases",
  }),
  addonHost: text('PLEXUS_ADDON_POSTGRES_HOST', {
    fallback: 'localhost',
    help: "the add-on server's host name in the urls that customers get",
  }),
  sizeCheckSeconds: integer('PLEXUS_ADDON_POSTGRES_SIZE_CHECK_SECONDS', {
    fallback: 10,
    help: 'how often the sizes of databases are compared with their plans',
  }),
  workflowLeaseSeconds: workflowLease,
}

export type PostgresConfig = ConfigOf<typeof settings>
