import { resolve } from 'node:path'
import { assertMigrated } from '#lib/migrate.ts'
import { connectNats } from '#lib/nats.ts'
import { startPeriodic } from '#lib/periodic.ts'
import { openPool } from '#lib/postgres.ts'
import { assertPlansDeclared } from '#lib/provider/plans-file.ts'
import { runService, type Lifecycle } from '#lib/run-service.ts'
import { assertMasterKey } from '#lib/secrets/master-keys-db.ts'
import { loadSecrets } from '#lib/secrets/secrets.ts'
import { startWorkflowRunner } from '#lib/workflow/workflow-runner.ts'
import { settings, type RedisConfig } from './config.ts'
import { serveData } from './data-rpc.ts'
import { listPlansInUse } from './instances-db.ts'
import {
  databaseConnectionsMax,
  firstLookMs,
  instancesWorkedOnMax,
  stopTimeoutMs,
} from './limits.ts'
import { addonService, loadPlans } from './plans.ts'
import { serveProvider } from './provider-rpc.ts'
import { migrations, schema } from './schema.ts'
import { atMost, createSupervision, stopAllInstances } from './supervision.ts'
import { openTls } from './tls.ts'
import { changeInstancePlan } from './workflows/change-plan.ts'
import { deprovisionInstance } from './workflows/deprovision.ts'
import { provisionInstance } from './workflows/provision.ts'

export async function start(config: RedisConfig, lifecycle: Lifecycle): Promise<void> {
  const { log, onStop } = lifecycle
  const plans = await loadPlans(config.manifestsDir)

  const secrets = await loadSecrets(config.masterKeyFile)
  const database = { url: config.databaseUrl, schema, log }
  const pool = openPool({ ...database, max: databaseConnectionsMax })
  onStop('database', () => pool.end())
  const locks = openPool({ ...database, max: instancesWorkedOnMax })
  onStop('locks', () => locks.end())
  await assertMigrated(pool, schema, migrations)
  await assertMasterKey(pool, secrets)
  assertPlansDeclared(addonService, plans, await listPlansInUse(pool))

  const nats = await connectNats(config.natsUrl, 'redis', log)
  onStop('nats', () => nats.drain())

  const context = {
    pool,
    locks,
    secrets,
    plans,
    ports: { first: config.portFirst, count: config.portCount },
    host: { dir: resolve(config.dir), redisServer: config.redisServer },
    bind: config.bind,
    tls: await openTls(config, log),
  }
  if (config.stopOnExit)
    onStop('instances', () => stopAllInstances(context, log), stopTimeoutMs + 5_000)

  const workflows = [provisionInstance, changeInstancePlan, deprovisionInstance]
  const runner = startWorkflowRunner({
    ...{ pool, workflows, context, log },
    leaseSeconds: config.workflowLeaseSeconds,
  })
  onStop('workflows', () => runner.stop())

  const everyMs = config.checkSeconds * 1000
  const { look } = createSupervision(context, log)
  await atMost(look(), firstLookMs, log)
  const stopSupervision = startPeriodic({ what: 'supervision', everyMs, work: look, log })
  onStop('supervision', stopSupervision)

  const answering = { context, runner, publicHost: config.host, log }
  onStop('provider rpc', await serveProvider(nats, answering))
  onStop('data rpc', await serveData(nats, answering))
  onStop('waiting requests', runner.endWaits)
}

if (import.meta.main) await runService('redis', settings, start)
