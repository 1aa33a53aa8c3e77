import type { Log } from '#lib/log.ts'
import type { LogplexConfig } from '../config.ts'
import { bsdVisitor, tokenVisitor, type LineDeps, type VisitorFor } from './frame-visitor.ts'
import type { ListenerSetting } from './listener-setting.ts'
import { mappedSources, type FindMappedApp } from './mapped-sources.ts'
import { listenSyslogTcp, type SyslogListener } from './syslog-tcp.ts'
import { openSyslogTls } from './syslog-tls.ts'
import { listenSyslogUdp } from './syslog-udp.ts'

/** Where to listen for syslog, and with what to speak TLS. */
export type SyslogConfig = Pick<
  LogplexConfig,
  | ('host' | 'syslogPort' | 'syslogListeners')
  | ('syslogTlsPort' | 'syslogTlsPem' | 'syslogTlsClientCa')
>

/**
 * Opens all listeners for syslog: TCP and UDP at the same port, TLS where there is a certificate,
 * and those that the operator declares.
 */
export async function openSyslogListeners(
  config: SyslogConfig,
  deps: LineDeps & { findMappedApp: FindMappedApp; log: Log },
): Promise<SyslogListener> {
  const { findMappedApp } = deps
  const { host, syslogListeners, syslogTlsPem: pemFile, syslogTlsClientCa: clientCaFile } = config
  const opened: { close: () => Promise<void> }[] = []
  const close = async (): Promise<void> => {
    await Promise.all(opened.map((listener) => listener.close()))
  }
  const visit = tokenVisitor(deps)
  const visitorOf = (setting: Omit<ListenerSetting, 'transport'>): VisitorFor => {
    const { map, app, format, zone } = setting
    if (map.length > 0 || app !== '') return mappedSources(setting, deps, findMappedApp)
    const declared = format === 'auto' ? bsdVisitor(visit, zone) : visit
    return () => declared
  }
  const shared = { ...deps, host, visitorFor: () => visit }
  const open = async <T extends { close: () => Promise<void> }>(
    listener: Promise<T>,
  ): Promise<T> => {
    const listening = await listener
    opened.push(listening)
    return listening
  }
  try {
    const tcp = await open(listenSyslogTcp({ ...shared, port: config.syslogPort }))
    await open(listenSyslogUdp({ ...shared, port: tcp.port }))
    const tls = pemFile ? await openSyslogTls({ pemFile, clientCaFile, log: deps.log }) : undefined
    if (tls) opened.push({ close: tls.stop })
    if (tls) await open(listenSyslogTcp({ ...shared, port: config.syslogTlsPort, tls }))
    for (const { transport, ...setting } of syslogListeners) {
      const options = { ...shared, ...setting, visitorFor: visitorOf(setting) }
      if (transport === 'tls' && !tls)
        throw new Error('PLEXUS_SYSLOG_LISTENERS has tls://…, and PLEXUS_SYSLOG_TLS_PEM is not set')
      if (transport === 'udp') await open(listenSyslogUdp(options))
      else await open(listenSyslogTcp({ ...options, ...(transport === 'tls' && tls && { tls }) }))
      deps.log.info({ transport, ...setting }, 'further listener')
    }
    return { port: tcp.port, close }
  } catch (error) {
    await close()
    throw error
  }
}
