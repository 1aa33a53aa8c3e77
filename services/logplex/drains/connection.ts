import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { assertReachable, guardedLookup } from '#lib/target-guard.ts'
import { hostOf, type CarrierOptions } from './carrier.ts'
import { drainOptionsOf } from './drain-options.ts'

/** Logplex's own, of urls that name none. */
const defaultPorts: Record<string, number> = {
  'http:': 80,
  'https:': 443,
  'syslog:': 601,
  'syslog+tls:': 6514,
  'udpsyslog:': 514,
}

export const portOf = (url: URL): number => Number(url.port) || (defaultPorts[url.protocol] ?? 0)

export type Transport = 'tcp' | 'tls'

export const transportOf = ({ protocol }: URL): Transport =>
  protocol === 'https:' || protocol === 'syslog+tls:' ? 'tls' : 'tcp'

/** Certificates are verified unless the url's options say otherwise. */
export const isInsecure = (url: URL): boolean => drainOptionsOf(url).insecure

/** A connection on which something may be sent: over TLS, to whom the url names. */
export async function connectTo(
  { url, mayBeLocal, trusted }: Pick<CarrierOptions, 'url' | 'mayBeLocal' | 'trusted'>,
  transport: Transport,
  msMax: number,
): Promise<Socket> {
  const host = hostOf(url)
  assertReachable(host, mayBeLocal)
  const to = { host, port: portOf(url), lookup: guardedLookup(mayBeLocal), noDelay: true }
  const opened =
    transport === 'tcp'
      ? connectTcp(to)
      : connectTls({
          ...to,
          // An address is no name to ask for; the certificate is held against it all the same.
          ...(isIP(host) === 0 && { servername: host }),
          ...(trusted && { secureContext: trusted }),
          rejectUnauthorized: !isInsecure(url),
        })
  const deadline = setTimeout(() => {
    opened.destroy(new Error(`no connection within ${msMax} ms`))
  }, msMax)
  try {
    await new Promise<void>((resolve, reject) => {
      opened.once(transport === 'tls' ? 'secureConnect' : 'connect', resolve)
      opened.once('error', reject)
    })
  } finally {
    clearTimeout(deadline)
  }
  return opened
}
