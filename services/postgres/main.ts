import { resolve } from 'node:path'
import type { Lifecycle } from '#lib/run-service.ts'
import { runService } from '#lib/run-service.ts'
import { assertMigrated } from '#lib/migrate.ts'
import { connectNats } from '#lib/nats.ts'
import { startPeriodic } from '#lib/periodic.ts'
import { openPool } from '#lib/postgres.ts'
import { assertPlansDeclared } from '#lib/provider/plans-file.ts'
import { assertMasterKey } from '#lib/secrets/master-keys-db.ts'
import { loadSecrets } from '#lib/secrets/secrets.ts'
import { startWorkflowRunner } from '#lib/workflow/workflow-runner.ts'
import { openAddonServer } from './addon-server.ts'
import { openBackups } from './backups.ts'
import { settings, type PostgresConfig } from './config.ts'
import { serveData } from './data-rpc.ts'
import { listPlansInUse } from './databases-db.ts'
import { backupsTidyMs } from './limits.ts'
import { addonService, loadPlans } from './plans.ts'
import { serveProvider } from './provider-rpc.ts'
import { migrations, schema } from './schema.ts'
import { countConnectionsForSale, prepareServer } from './server-admin.ts'
import { checkSizes } from './size-check.ts'
import { tendBackups } from './tend-backups.ts'
import { postgresWorkflows } from './workflows/all.ts'

export async function start(config: PostgresConfig, lifecycle: Lifecycle): Promise<void> {
  const { log, onStop } = lifecycle
  const plans = await loadPlans(config.manifestsDir)

  const secrets = await loadSecrets(config.masterKeyFile)
  const pool = openPool({ url: config.databaseUrl, schema, log })
  onStop('database', () => pool.end())
  await assertMigrated(pool, schema, migrations)
  await assertMasterKey(pool, secrets)
  assertPlansDeclared(addonService, plans, await listPlansInUse(pool))

  const server = openAddonServer(config.addonServerUrl, log)
  onStop('add-on server', () => server.end())
  await prepareServer(server)

  const nats = await connectNats(config.natsUrl, 'postgres', log)
  onStop('nats', () => nats.drain())

  const connectionsForSale = await countConnectionsForSale(server)
  const stopping = new AbortController()
  const backups = await openBackups({
    ...{ folder: resolve(config.backupDir), binDir: config.binDir, stopping: stopping.signal },
    ...{ finalDays: config.finalSnapshotDays, log },
  })
  const context = { pool, server, secrets, plans, connectionsForSale, backups }
  const runner = startWorkflowRunner({
    ...{ pool, workflows: postgresWorkflows, context, log },
    leaseSeconds: config.workflowLeaseSeconds,
  })
  onStop('workflows', () => runner.stop())
  onStop('transfers', () => stopping.abort())

  const stopSizeCheck = startPeriodic({
    what: 'size check',
    everyMs: config.sizeCheckSeconds * 1000,
    work: () => checkSizes(context, log),
    log,
  })
  onStop('size check', stopSizeCheck)
  const stopTidying = startPeriodic({
    what: 'backups',
    everyMs: backupsTidyMs,
    work: () => tendBackups(context),
    log,
  })
  onStop('backups', stopTidying)

  const answering = { context, runner, host: config.addonHost, log }
  onStop('provider rpc', await serveProvider(nats, answering))
  onStop('data rpc', await serveData(nats, answering))
  onStop('waiting requests', runner.endWaits)
}

if (import.meta.main) await runService('postgres', settings, start)
