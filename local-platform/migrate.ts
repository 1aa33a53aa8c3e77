import { ensureEventStream } from '#lib/events/event-stream.ts'
import type { Log } from '#lib/log.ts'
import { migrate } from '#lib/migrate.ts'
import { connectNats } from '#lib/nats.ts'
import * as apps from '../services/apps/schema.ts'
import * as broker from '../services/broker/schema.ts'
import * as logplex from '../services/logplex/schema.ts'
import * as postgres from '../services/postgres/schema.ts'
import * as redis from '../services/redis/schema.ts'
import * as webhooks from '../services/webhooks/schema.ts'
import type { DatabaseService } from './credentials.ts'

/**
 * Brings every schema and the stream of events up to date. Safe to run at any time, by several at
 * once, and to kill.
 *
 * @param options.databaseUrl gives each service's own url.
 * @returns what was applied, "apps: apps/0001-accounts.sql" and so on.
 */
export async function migrateAll(options: {
  databaseUrl: (service: DatabaseService) => string
  natsUrl: string
  log: Log
}): Promise<string[]> {
  const applied: string[] = []
  for (const { schema, migrations } of [apps, broker, logplex, postgres, redis, webhooks]) {
    const files = await migrate(options.databaseUrl(schema), schema, migrations)
    applied.push(...files.map((file) => `${schema}: ${file}`))
  }
  const nats = await connectNats(options.natsUrl, 'migrate', options.log)
  try {
    await ensureEventStream(nats)
  } finally {
    await nats.close()
  }
  return applied
}
