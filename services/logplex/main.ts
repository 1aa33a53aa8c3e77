import { rpcClient, serveRpc } from '#lib/rpc.ts'
import { runService, type Lifecycle } from '#lib/run-service.ts'
import { AppsService } from '#proto/apps/v1/apps_pb.ts'
import { LogplexService } from '#proto/logplex/v1/logplex_pb.ts'
import { startCanary, type Canary } from './canary/canary.ts'
import { registerCanaryReport } from './canary/canary-report.ts'
import { settings, type LogplexConfig } from './config.ts'
import { authKeyCheck } from './credential.ts'
import { forgetApp } from './control/channels.ts'
import { logplexHandlers } from './control/logplex-rpc.ts'
import { followMappedApps } from './control/mapped-apps.ts'
import { consumePlatformEvents } from './control/platform-lines.ts'
import { openRegistry } from './control/registry.ts'
import { revocationFinder, revokeSessions } from './control/revocations.ts'
import { sessionFinder } from './control/sessions.ts'
import { startDrains } from './drains/drains.ts'
import { startIngest } from './ingest/ingest.ts'
import { TokenTable } from './ingest/token-table.ts'
import { openAppLog } from './app-log/open-app-log.ts'
import { registerLogplexApi } from './logplex-api/logplex-api.ts'
import { openStores } from './control/stores.ts'
import { Switches } from './switches.ts'
import { registerTails } from './tails/tails-http.ts'

export async function start(config: LogplexConfig, lifecycle: Lifecycle): Promise<void> {
  const { log } = lifecycle
  const { pool, secrets, nats, redis } = await openStores(config, lifecycle)
  const { logBytesPerApp: bytesPerAppMax, logBytes: bytesMax } = config
  const appLog = await openAppLog({ redis, nats, log, bytesPerAppMax, bytesMax })
  lifecycle.onStop('app log', appLog.close)

  const { drainsMayBeLocal, drainsCaFile: caFile, drainLease: limits, logsUrl, syslogAddr } = config
  const reach = { mayBeLocal: drainsMayBeLocal, caFile, limits }
  const drains = await startDrains({ appLog, redis, ...reach, log })
  lifecycle.onStop('drains', drains.stop)

  const [tokens, switches] = [new TokenTable(), new Switches()]
  const kept = { pool, secrets, tokens, switches, onDrains: drains.sync }
  const registry = await openRegistry({ ...kept, nats, log })
  lifecycle.onStop('registry', registry.stop)

  const context = {
    ...{ pool, secrets, redis, appLog, registry, switches, drains },
    ...{ drainsMayBeLocal, logsUrl, syslogAddr, apps: rpcClient(nats, 'apps', AppsService) },
  }
  const mapped = await followMappedApps(context, { listeners: config.syslogListeners, nats, log })
  lifecycle.onStop('mapped apps', mapped.stop)

  const sessions = { findSession: sessionFinder(redis), findRevocations: revocationFinder(redis) }
  let canary: Canary | undefined
  const ingest = await startIngest(
    config,
    { appLog, tokens, ...registry, findMappedApp: mapped.find, switches, log },
    async (server) => {
      registerCanaryReport(server, () => canary?.report())
      registerLogplexApi(server, { context, isAuthKey: authKeyCheck(config.authKey), log })
      await registerTails(server, { appLog, ...sessions, switches, log })
    },
  )
  lifecycle.onStop('ingest', ingest.stop, 8_000)

  const events = await consumePlatformEvents({
    nats,
    appLog,
    forgetApp: (appId) => forgetApp(context, appId),
    revoke: (member, at) => revokeSessions(redis, member, at),
    log,
  })
  lifecycle.onStop('events', events.stop)
  const rpc = { service: LogplexService, handlers: logplexHandlers(context), log }
  lifecycle.onStop('rpc', await serveRpc(nats, { name: 'logplex', ...rpc }))
  canary = startCanary({
    ...{ appLog, redis, tokens, switches, log, everyMs: config.canarySeconds * 1_000 },
    ...{ inputUrl: ingest.inputUrl, auditDrains: drains.audit },
  })
  lifecycle.onStop('canary', canary.stop)
}

if (import.meta.main) await runService('logplex', settings, start)
