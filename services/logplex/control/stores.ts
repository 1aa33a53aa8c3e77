import { assertMigrated } from '#lib/migrate.ts'
import { connectNats } from '#lib/nats.ts'
import { openPool } from '#lib/postgres.ts'
import type { Lifecycle } from '#lib/run-service.ts'
import { assertMasterKey } from '#lib/secrets/master-keys-db.ts'
import { loadSecrets } from '#lib/secrets/secrets.ts'
import type { LogplexConfig } from '../config.ts'
import { connectRedis } from '../redis.ts'
import { migrations, schema } from '../schema.ts'

/** Connects to what logplex keeps things in and hears of them by, until the service stops. */
export async function openStores(config: LogplexConfig, { log, onStop }: Lifecycle) {
  const pool = openPool({ url: config.databaseUrl, schema, log })
  onStop('postgres', () => pool.end())
  await assertMigrated(pool, schema, migrations)
  const secrets = await loadSecrets(config.masterKeyFile)
  await assertMasterKey(pool, secrets)
  const nats = await connectNats(config.natsUrl, 'logplex', log, { hearsItself: false })
  onStop('nats', () => nats.drain())
  const redis = await connectRedis(config.redisUrl, log)
  onStop('redis', () => redis.destroy())
  return { pool, secrets, nats, redis }
}
