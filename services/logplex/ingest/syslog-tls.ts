import { constants } from 'node:crypto'
import { createServer, type SecureContextOptions, type Server } from 'node:tls'
import type { Log } from '#lib/log.ts'
import { startPeriodic } from '#lib/periodic.ts'
import { endOf, openCaCertificates, openServerCertificate } from '#lib/server-certificate.ts'
import { certificateCheckMs, tcpKeepAliveMs, tlsHandshakeMs } from '../limits.ts'

export type SyslogTlsOptions = {
  /** PEM of private key, certificate and those between it and the CA. */
  pemFile: string
  /** PEM of the CAs whose certificates clients must have, or "" when they need none. */
  clientCaFile: string
  /** Between two looks at the files. */
  checkMs?: number
  log: Log
}

/** How listeners speak TLS: with files that may be replaced while they do. */
export type SyslogTls = {
  /** A server that is not listening yet. */
  createServer: () => Server
  stop: () => Promise<void>
}

/** @throws Error when a file cannot be read or does not hold what it should. */
export async function openSyslogTls(options: SyslogTlsOptions): Promise<SyslogTls> {
  const { pemFile, clientCaFile, checkMs = certificateCheckMs, log } = options
  const certificate = await openServerCertificate(pemFile)
  const clientCa = clientCaFile === '' ? undefined : await openCaCertificates(clientCaFile)
  const servers = new Set<Server>()
  const context = (): SecureContextOptions => ({
    key: certificate.pem(),
    cert: certificate.pem(),
    ...(clientCa && { ca: clientCa.pem() }),
    minVersion: 'TLSv1.2',
    // A session that was resumed would be one whose certificate nobody has looked at again.
    secureOptions: constants.SSL_OP_NO_TICKET,
  })
  const files = (): string => certificate.pem() + (clientCa?.pem() ?? '')
  let served = files()
  const stopChecking = startPeriodic({
    what: 'certificate of syslog over TLS',
    everyMs: checkMs,
    work: async () => {
      const results = await Promise.allSettled([certificate.reload(), clientCa?.reload()])
      for (const result of results)
        if (result.status === 'rejected')
          log.error({ err: result.reason, alert: true }, 'new certificate is not used')
      if (files() === served) return
      served = files()
      for (const server of servers) server.setSecureContext(context())
      log.info({ certificateUntil: endOf(certificate.pem()) }, 'syslog has a new certificate')
    },
    log,
  })
  log.info({ certificateUntil: endOf(certificate.pem()) }, 'syslog speaks TLS')
  return {
    createServer: () => {
      const server = createServer({
        ...context(),
        requestCert: clientCa !== undefined,
        rejectUnauthorized: clientCa !== undefined,
        handshakeTimeout: tlsHandshakeMs,
        keepAlive: true,
        keepAliveInitialDelay: tcpKeepAliveMs,
      })
      servers.add(server)
      server.once('close', () => servers.delete(server))
      return server
    },
    stop: stopChecking,
  }
}
