import { addonManifests, integer, secret, text, type ConfigOf, workflowLease } from '#lib/config.ts'

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
  backupDir: text('PLEXUS_POSTGRES_BACKUP_DIR', {
    help: 'folder of the backups; of several processes all of them need the same one',
  }),
  binDir: text('PLEXUS_POSTGRES_BIN_DIR', {
    help: "folder of pg_dump and pg_restore, no older than the add-ons' server",
  }),
  finalSnapshotDays: integer('PLEXUS_POSTGRES_FINAL_SNAPSHOT_DAYS', {
    fallback: 7,
    help: 'how long the last backups of a removed database are kept; 0: none is made',
  }),
  manifestsDir: addonManifests,
  workflowLeaseSeconds: workflowLease,
}

export type PostgresConfig = ConfigOf<typeof settings>
