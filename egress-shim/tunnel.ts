import { connect, isIP, type LookupFunction, type Socket } from 'node:net'
import type { Address } from './heroku-hosts.ts'
import type { Limits } from './limits.ts'
import { refuseSocket, unreachable } from './refusal.ts'

/**
 * Passes bytes between a client that said CONNECT and the host that it named, untouched, until both
 * sides have ended or nothing moves for `idleMs`. Either side may end first and still receive.
 *
 * @param head bytes that the client sent behind its CONNECT without waiting for the answer.
 */
export function tunnel(options: {
  client: Socket
  head: Buffer
  target: Address
  limits: Limits
  lookup: LookupFunction | undefined
}): Socket {
  const { client, head, target, limits, lookup } = options
  const { host, port } = target
  const upstream = connect({
    host,
    port,
    allowHalfOpen: true,
    ...(lookup && isIP(host) === 0 && { lookup }),
  })
  const late = (): void => {
    upstream.destroy(Object.assign(new Error('connect timed out'), { code: 'ETIMEDOUT' }))
  }
  const timer = setTimeout(late, limits.connectMs)
  let established = false
  upstream.once('connect', () => {
    clearTimeout(timer)
    established = true
    client.write('HTTP/1.1 200 Connection Established\r\n\r\n')
    if (head.length > 0) upstream.write(head)
    client.pipe(upstream)
    upstream.pipe(client)
    // Bytes in either direction pass through this socket.
    upstream.setTimeout(limits.idleMs, () => upstream.destroy())
  })
  upstream.once('error', (error: NodeJS.ErrnoException) => {
    if (established || client.destroyed) return
    const next = 'The proxy looked it up and tried to connect from this machine.'
    refuseSocket(client, unreachable(`${host}:${port}`, error, next), limits)
  })
  upstream.once('close', () => {
    clearTimeout(timer)
    if (established) client.destroy()
  })
  client.once('close', () => upstream.destroy())
  return upstream
}
