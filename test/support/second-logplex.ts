import { layoutAt } from '../../local-platform/layout.ts'
import type { TestEngines } from './engines.ts'
import { freePortBase } from './ports.ts'
import { startService, type ServiceProcess } from './services.ts'

export type SecondLogplex = ServiceProcess & { logsUrl: string; syslogPort: number }

/**
 * Starts a logplex beside the one that has the engines' ports, at ports of its own and without TLS.
 */
export async function startSecondLogplex(
  engines: TestEngines,
  overrides: Record<string, string> = {},
): Promise<SecondLogplex> {
  const { logs, syslog } = layoutAt('/', await freePortBase()).ports
  const started = await startService('logplex', engines, {
    PLEXUS_LOGS_PORT: String(logs),
    PLEXUS_SYSLOG_PORT: String(syslog),
    PLEXUS_SYSLOG_TLS_PORT: '0',
    ...overrides,
  })
  return { ...started, syslogPort: syslog, logsUrl: `http://127.0.0.1:${logs}` }
}
