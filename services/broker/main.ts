import { startOutbox } from '#lib/events/outbox.ts'
import { assertMigrated } from '#lib/migrate.ts'
import { connectNats } from '#lib/nats.ts'
import { openPool } from '#lib/postgres.ts'
import { rpcClient, serveRpc } from '#lib/rpc.ts'
import { runService, type Lifecycle } from '#lib/run-service.ts'
import { assertMasterKey } from '#lib/secrets/master-keys-db.ts'
import { loadSecrets } from '#lib/secrets/secrets.ts'
import { startWorkflowRunner } from '#lib/workflow/workflow-runner.ts'
import { AppsService } from '#proto/apps/v1/apps_pb.ts'
import { BrokerService } from '#proto/broker/v1/broker_pb.ts'
import { LogplexService } from '#proto/logplex/v1/logplex_pb.ts'
import { declareServices } from './addon-services.ts'
import { followApps } from './app-events.ts'
import { brokerHandlers } from './broker-rpc.ts'
import { settings, type BrokerConfig } from './config.ts'
import type { StepContext } from './context.ts'
import { startHousekeeping } from './housekeeping.ts'
import { partnerRetryMsMax, rotationOverlapSecondsMax, stepsInFlightMax } from './limits.ts'
import { loadManifests } from './manifest.ts'
import { findProviders } from './providers/find-provider.ts'
import { openPartnerHttp } from './providers/partner-http.ts'
import { migrations, schema } from './schema.ts'
import { workflows } from './workflows/workflows.ts'

/** Starts the broker: add-on services, add-ons, attachments and the workflows that move them. */
export async function start(config: BrokerConfig, lifecycle: Lifecycle): Promise<void> {
  const { log } = lifecycle
  const declarations = await loadManifests(config.manifestsDir)

  const pool = openPool({ url: config.databaseUrl, schema, log })
  lifecycle.onStop('postgres', () => pool.end())
  await assertMigrated(pool, schema, migrations)
  const secrets = await loadSecrets(config.masterKeyFile)
  await assertMasterKey(pool, secrets)
  await declareServices({ pool, secrets }, declarations)

  const nats = await connectNats(config.natsUrl, 'broker', log)
  lifecycle.onStop('nats', () => nats.drain())

  const outbox = startOutbox(pool, nats, log)
  lifecycle.onStop('outbox', outbox.stop)

  const { providersMayBeLocal: mayBeLocal, providerAnswerSeconds } = config
  const retry = { firstMs: config.providerRetrySeconds * 1000, maxMs: partnerRetryMsMax }
  const http = openPartnerHttp({ mayBeLocal, answerMs: providerAnswerSeconds * 1000 })
  lifecycle.onStop('connections to providers', http.close)

  const steps: StepContext = {
    pool,
    secrets,
    apps: rpcClient(nats, 'apps', AppsService),
    logplex: rpcClient(nats, 'logplex', LogplexService),
    findProvider: findProviders({ nats, secrets, http: http.send, retry }),
    apiUrl: config.apiUrl,
    rotationOverlapSeconds: Math.min(config.rotationOverlapSeconds, rotationOverlapSecondsMax),
    log,
  }
  const runner = startWorkflowRunner({
    ...{ pool, workflows, context: steps, stepsInFlightMax, log },
    leaseSeconds: config.workflowLeaseSeconds,
  })
  lifecycle.onStop('workflows', runner.stop)

  const context = { ...steps, runner }
  const appEvents = await followApps(nats, context)
  lifecycle.onStop('app events', appEvents.stop)

  lifecycle.onStop('housekeeping', startHousekeeping(context))

  const handlers = brokerHandlers(context)
  lifecycle.onStop(
    'rpc',
    await serveRpc(nats, { name: 'broker', service: BrokerService, handlers, log }),
  )
  lifecycle.onStop('waiting requests', runner.endWaits)
}

if (import.meta.main) await runService('broker', settings, start)
