import { setFlagsFromString } from 'node:v8'
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
  const reach = { mayBeLocal: drainsMayBeLocal, caFile }
  const drains = await startDrains({ appLog, redis, ...reach, limits, log })
  lifecycle.onStop('drains', drains.stop)

  const [tokens, switches] = [new TokenTable(), new Switches()]
  const kept = { tokens, switches, onDrains: drains.sync }
  const registry = await openRegistry({ pool, secrets, nats, ...kept, log })
  lifecycle.onStop('registry', registry.stop)

  const context = {
    ...{ pool, secrets, redis, appLog, registry, switches, drains },
    ...{ drainsMayBeLocal, logsUrl, syslogAddr, apps: rpcClient(nats, 'apps', AppsService) },
  }
  const { syslogListeners: listeners } = config
  const mapped = await followMappedApps(context, { listeners, nats, log })
  lifecycle.onStop('mapped apps', mapped.stop)

  const sessions = { findSession: sessionFinder(redis), findRevocations: revocationFinder(redis) }
  let canary: Canary | undefined
  const ingest = await startIngest(
    config,
    { appLog, tokens, ...registry, findMappedApp: mapped.find, switches, log },
    async (server) => {
      registerCanaryReport(server, () => canary?.report())
      const isAuthKey = authKeyCheck(config.authKey)
      registerLogplexApi(server, { context, isAuthKey, log })
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
  const handlers = logplexHandlers(context)
  const stopRpc = await serveRpc(nats, { name: 'logplex', service: LogplexService, handlers, log })
  lifecycle.onStop('rpc', stopRpc)
  canary = startCanary({
    ...{ appLog, redis, tokens, switches, log, everyMs: config.canarySeconds * 1_000 },
    ...{ inputUrl: ingest.inputUrl, auditDrains: drains.audit },
  })
  lifecycle.onStop('canary', canary.stop)
}

// Lines live in buffers outside of the heap, for each 64 MB of which V8 would mark the whole heap: five
// times a second at 400,000 lines, a fifth of all CPU (npm run bench). Counted together with the heap
// they are looked at when both have grown.
setFlagsFromString('--external-memory-accounted-in-global-limit')

if (import.meta.main) await runService('logplex', settings, start)
