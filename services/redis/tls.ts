import { execFile, type ExecFileException } from 'node:child_process'
import { promisify } from 'node:util'
import type { Log } from '#lib/log.ts'
import { endOf, openServerCertificate, type PemFile } from '#lib/server-certificate.ts'
import type { RedisConfig } from './config.ts'
import { startTimeoutMs } from './limits.ts'
import type { PortRange } from './ports.ts'

/** How instances speak TLS, each at a second port of its own. */
export type InstancesTls = { ports: PortRange; certificate: PemFile }

/**
 * How instances speak TLS, as it is configured; undefined when it is not, or when the program that
 * they run cannot.
 *
 * @throws Error when the certificate is no good, or no ports are named.
 */
export async function openTls(
  config: Pick<RedisConfig, 'tlsPem' | 'tlsPortFirst' | 'portCount' | 'redisServer'>,
  log: Log,
): Promise<InstancesTls | undefined> {
  const { tlsPem, tlsPortFirst, portCount, redisServer } = config
  if (tlsPem === '') return undefined
  if (tlsPortFirst === 0)
    throw new Error('PLEXUS_ADDON_REDIS_TLS_PORT_FIRST is not set, and instances are to speak TLS')
  if (!(await speaksTls(redisServer))) {
    log.warn({ redisServer }, 'instances speak no TLS: their program is built without it')
    return undefined
  }
  const certificate = await openServerCertificate(tlsPem)
  log.info({ certificateUntil: endOf(certificate.pem()) }, 'instances speak TLS')
  return { ports: { first: tlsPortFirst, count: portCount }, certificate }
}

/** Given nonsense, a program built without TLS complains of the directive, else of its value. */
async function speaksTls(redisServer: string): Promise<boolean> {
  const said = await promisify(execFile)(redisServer, ['--tls-port', 'none'], {
    timeout: startTimeoutMs,
  }).catch((error: ExecFileException & { stdout: string; stderr: string }) => {
    if (typeof error.code !== 'number') throw error
    return error
  })
  return !`${said.stdout}${said.stderr}`.includes('Bad directive')
}
