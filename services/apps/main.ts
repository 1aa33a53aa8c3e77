import { assertMigrated } from '#lib/migrate.ts'
import { startOutbox } from '#lib/events/outbox.ts'
import { connectNats } from '#lib/nats.ts'
import { openPool } from '#lib/postgres.ts'
import { serveRpc } from '#lib/rpc.ts'
import { runService, type Lifecycle } from '#lib/run-service.ts'
import { assertMasterKey } from '#lib/secrets/master-keys-db.ts'
import { loadSecrets } from '#lib/secrets/secrets.ts'
import { AppsService } from '#proto/apps/v1/apps_pb.ts'
import { appsHandlers } from './apps-rpc.ts'
import { settings, type AppsConfig } from './config.ts'
import { createPasswords } from './passwords.ts'
import { migrations, schema } from './schema.ts'

export async function start(config: AppsConfig, lifecycle: Lifecycle): Promise<void> {
  const { log } = lifecycle
  const pool = openPool({ url: config.databaseUrl, schema, log })
  lifecycle.onStop('postgres', () => pool.end())
  await assertMigrated(pool, schema, migrations)

  const secrets = await loadSecrets(config.masterKeyFile)
  await assertMasterKey(pool, secrets)

  const nats = await connectNats(config.natsUrl, 'apps', log)
  lifecycle.onStop('nats', () => nats.drain())

  const outbox = startOutbox(pool, nats, log)
  lifecycle.onStop('outbox', outbox.stop)

  const passwords = createPasswords()
  const context = { pool, secrets, passwords, wakeOutbox: outbox.wake }
  const handlers = appsHandlers(context)
  const stopRpc = await serveRpc(nats, { name: 'apps', service: AppsService, handlers, log })
  lifecycle.onStop('rpc', stopRpc)
}

if (import.meta.main) await runService('apps', settings, start)
