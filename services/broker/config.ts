import { secret, text, type ConfigOf } from '#lib/config.ts'

export const settings = {
  natsUrl: secret('PLEXUS_NATS_URL', { help: 'nats://user:password@host:port of the broker' }),
  databaseUrl: secret('PLEXUS_DATABASE_URL', { help: "postgres url with the broker's own role" }),
  masterKeyFile: text('PLEXUS_MASTER_KEY_FILE', { help: 'file with the keys that seal values' }),
  apiUrl: text('PLEXUS_API_URL', { help: 'where providers call back: the origin of the api' }),
  manifestsDir: text('PLEXUS_ADDON_MANIFESTS', { help: 'folder with the manifests of add-ons' }),
}

export type BrokerConfig = ConfigOf<typeof settings>
