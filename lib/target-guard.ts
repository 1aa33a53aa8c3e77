import { lookup as dnsLookup, type LookupAddress, type LookupOptions } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'

// Loopback, private, link-local, shared, documentation, multicast and reserved ranges (RFC 6890),
// and the IPv6 ranges that carry an IPv4 address inside.
const special: [address: string, bits: number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  ['::', 96],
  // IPv4-translated (RFC 2765), beside the mapped ones, which are judged as what they hold.
  ['::ffff:0:0:0', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['100:0:0:1::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
  ['5f00::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
]

const forbidden = new BlockList()
for (const [address, bits] of special)
  forbidden.addSubnet(address, bits, isIP(address) === 6 ? 'ipv6' : 'ipv4')

/** True for an address that a customer's url may not lead to unless the operator allows it. */
function isLocalAddress(address: string): boolean {
  return forbidden.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

/** True for a host of a url that is such an address itself; names are judged when they resolve. */
export function isLocalHost(host: string): boolean {
  const address = host.replace(/^\[|\]$/g, '')
  return isIP(address) !== 0 && isLocalAddress(address)
}

/** The same, and for the names that mean this machine: what a url is judged by when it is given. */
export function isLocalTarget(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || isLocalHost(host)
}

export class LocalTargetError extends Error {
  override name = 'LocalTargetError'

  constructor(host: string) {
    super(`${host} is a local or private address, which may not be reached from here`)
  }
}

/**
 * To be asked before connecting: an address itself is not looked up, so the lookup cannot refuse
 * it.
 */
export function assertReachable(host: string, mayBeLocal: boolean): void {
  if (!mayBeLocal && isLocalHost(host)) throw new LocalTargetError(host)
}

/**
 * The addresses of a host, for what connects to one of them.
 *
 * @throws LocalTargetError as guardedLookup gives it.
 */
export function resolveTarget(host: string, mayBeLocal: boolean): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) =>
    guardedLookup(mayBeLocal)(host, { all: true }, (error, addresses) => {
      if (error) reject(error)
      else resolve(addresses as LookupAddress[])
    }),
  )
}

/**
 * The lookup of the connection itself, so that no name can resolve to one thing when it is checked
 * and to another when it is connected to. A name with even one local address is refused whole.
 */
export function guardedLookup(mayBeLocal: boolean): LookupFunction {
  return (hostname, options, callback) => {
    dnsLookup(hostname, { ...options, all: true } as LookupOptions & { all: true }, answer)
    function answer(error: NodeJS.ErrnoException | null, addresses: LookupAddress[]): void {
      if (error) return callback(error, '', 0)
      const local = addresses.some(({ address }) => isLocalAddress(address))
      const [first] = addresses
      if (!first) return callback(new Error(`${hostname} has no address`), '', 0)
      if (local && !mayBeLocal) return callback(new LocalTargetError(hostname), '', 0)
      if (options.all) callback(null, addresses)
      else callback(null, first.address, first.family)
    }
  }
}
