import type { FastifyInstance } from 'fastify'
import type { Log } from '#lib/log.ts'
import type { AppLog } from '../app-log/app-log.ts'
import type { LogplexConfig } from '../config.ts'
import { countersEveryMs, pendingOnStopMs, postBytesInFlightMax } from '../limits.ts'
import type { FindCredential } from '../credential.ts'
import type { Switches } from '../switches.ts'
import { newCounters, type IngestCounters } from './counters.ts'
import { Intake } from './intake.ts'
import { registerLogsHttp } from './logs-http.ts'
import { createLogsServer } from './logs-server.ts'
import type { FindMappedApp } from './mapped-sources.ts'
import { BytesInFlight } from './post-body.ts'
import { openSyslogListeners, type SyslogConfig } from './syslog-listeners.ts'
import { TokenLookup, type FindToken } from './token-lookup.ts'
import type { TokenTable } from './token-table.ts'

export type IngestDeps = {
  appLog: AppLog
  tokens: TokenTable
  learnToken: FindToken
  findMappedApp: FindMappedApp
  findCredential: FindCredential
  switches: Switches
  log: Log
}

/** Where to listen. */
export type IngestConfig = SyslogConfig &
  Pick<LogplexConfig, 'logsPort' | 'logLinesPerSecondPerApp'>

export type Ingest = {
  logsPort: number
  /** `POST /logs` of this process, from this machine. */
  inputUrl: string
  syslogPort: number
  counters: Readonly<IngestCounters>
  /** Takes nothing more, then waits a while until Redis has what was taken. */
  stop: () => Promise<void>
}

/**
 * Opens all listeners for log lines. `register` adds what else is served on the HTTP port: the log
 * sessions.
 */
export async function startIngest(
  config: IngestConfig,
  { appLog, tokens, learnToken, findMappedApp, findCredential, switches, log }: IngestDeps,
  register: (server: FastifyInstance) => Promise<void>,
): Promise<Ingest> {
  const { host, logsPort, logLinesPerSecondPerApp } = config
  const counters = newCounters()
  const intake = new Intake(appLog, counters, switches, logLinesPerSecondPerApp)
  const lookup = new TokenLookup(tokens, learnToken)
  const server = createLogsServer()
  const inFlight = new BytesInFlight(postBytesInFlightMax)
  registerLogsHttp(server, { intake, lookup, tokens, findCredential, counters, inFlight, log })
  await register(server)
  await server.listen({ host, port: logsPort })
  const syslog = await openSyslogListeners(config, {
    intake,
    tokens,
    lookup,
    counters,
    findMappedApp,
    log,
  })
  const stopReporting = reportCounters(intake, counters, log)
  return {
    logsPort: portOf(server, logsPort),
    inputUrl: `http://${reachable(host)}:${portOf(server, logsPort)}/logs`,
    syslogPort: syslog.port,
    counters,
    stop: async () => {
      stopReporting()
      await Promise.all([syslog.close(), server.close()])
      await intake.drain(pendingOnStopMs)
    },
  }
}

function reportCounters(intake: Intake, counters: IngestCounters, log: Log): () => void {
  let told = 0
  const report = (): void => {
    const { received, connectionsClosed } = counters
    if (received + connectionsClosed === told) return
    told = received + connectionsClosed
    log.info({ ...counters, pendingBytes: intake.pendingBytes }, 'log lines so far')
  }
  const timer = setInterval(report, countersEveryMs)
  return () => {
    clearInterval(timer)
    report()
  }
}

function portOf(server: FastifyInstance, fallback: number): number {
  const address = server.server.address()
  return typeof address === 'object' && address ? address.port : fallback
}

/** An address at which a listener on this host is reached from its own machine. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
