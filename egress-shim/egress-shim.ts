import { once } from 'node:events'
import type { AddressInfo, LookupFunction, Server, Socket } from 'node:net'
import { createConnectProxy } from './connect-proxy.ts'
import type { Address } from './heroku-hosts.ts'
import { limits as usualLimits, type Limits } from './limits.ts'
import { createNote } from './note.ts'
import { createTlsFront, type ServerCertificate } from './tls-front.ts'

export type EgressShim = {
  /** Where CONNECT is taken. */
  proxy: Address
  /** Where TLS is taken without it; undefined when not asked for. */
  direct: Address | undefined
  /** Closes everything at once: a provider's own retries are what a restart rests on. */
  stop: () => Promise<void>
}

/**
 * Starts what brings providers that have Heroku's hosts in their code to Plexus: a CONNECT proxy
 * and, where asked for, TLS by itself for those whose names are led here by DNS or a hosts file.
 *
 * @param options.origin the API of Plexus.
 * @param options.issue makes a certificate for Heroku's hosts that providers are told to trust.
 * @param options.say tells the operator what goes wrong with clients.
 * @throws Error of node:net when an address cannot be listened on.
 */
export async function startEgressShim(options: {
  proxy: Address
  direct?: Address | undefined
  origin: URL
  issue: () => Promise<ServerCertificate>
  say: (text: string) => void
  limits?: Partial<Limits>
  lookup?: LookupFunction
}): Promise<EgressShim> {
  const { origin, issue, say, lookup } = options
  const limits = { ...usualLimits, ...options.limits }
  let stopped = false
  const note = createNote((text) => {
    // What the end itself does to clients is nothing to tell.
    if (!stopped) say(text)
  })
  const front = createTlsFront({ certificate: await issue(), origin, limits, note })
  const takeHeroku = (socket: Socket): void => void front.emit('connection', socket)
  const proxy = createConnectProxy({ limits, takeHeroku, note, lookup })
  const sockets = openSockets([proxy, front])
  const renewal = setInterval(() => {
    issue().then(
      (certificate) => front.setSecureContext(certificate),
      (error: Error) => say(`The certificate could not be renewed: ${error.message}`),
    )
  }, limits.certificateMs)
  const stop = async (): Promise<void> => {
    stopped = true
    clearInterval(renewal)
    const closed = [proxy, front].filter(({ listening }) => listening).map(close)
    for (const socket of sockets) socket.destroy()
    await Promise.all(closed)
  }
  try {
    return {
      proxy: await listen(proxy, options.proxy),
      direct: options.direct && (await listen(front, options.direct)),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Those of CONNECT, too, which an HTTP server no longer counts among its own. */
function openSockets(servers: Server[]): Set<Socket> {
  const sockets = new Set<Socket>()
  for (const server of servers)
    server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    })
  return sockets
}

async function listen(server: Server, { host, port }: Address): Promise<Address> {
  server.listen(port, host)
  await once(server, 'listening')
  const bound = server.address() as AddressInfo
  return { host: bound.address, port: bound.port }
}

function close(server: Server): Promise<void> {
  return new Promise((done) => server.close(() => done()))
}
