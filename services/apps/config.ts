import { secret, text, type ConfigOf } from '#lib/config.ts'

export const settings = {
  natsUrl: secret('PLEXUS_NATS_URL', { help: 'NATS, nats://user:password@host:port' }),
  databaseUrl: secret('PLEXUS_DATABASE_URL', {
    help: 'the platform database with the role of this service, postgres://user:password@host/db',
  }),
  masterKeyFile: text('PLEXUS_MASTER_KEY_FILE', {
    help: 'file with the keys that config vars are sealed with at rest',
  }),
}

export type AppsConfig = ConfigOf<typeof settings>
