import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * How a network behaves: as it should; every connection breaks; nothing gets through and nobody is
 * told; or each piece of 64 kB at most is so late, and the next one waits for it.
 */
type Way = 'open' | 'cut' | 'silent' | { lateMs: number }

export type TcpProxy = {
  port: number
  /** From now on, for connections that are open as well. */
  set: (way: Way) => void
  close: () => Promise<void>
}

/** A network between a client and a server on this machine, which can be partitioned. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  let way: Way = 'open'
  const sockets = new Set<Socket>()

  const keep = (socket: Socket, other: Socket): void => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => {
      sockets.delete(socket)
      other.destroy()
    })
  }

  const pass = (from: Socket, to: Socket): void => {
    const goOn = (): void => {
      if (way !== 'silent') from.resume()
    }
    const write = (bytes: Buffer): void => {
      if (to.write(bytes)) goOn()
      else to.once('drain', goOn)
    }
    from.on('data', (bytes) => {
      from.pause()
      if (typeof way === 'object') setTimeout(write, way.lateMs, bytes)
      else write(bytes)
    })
    from.on('end', () => to.end())
    if (way === 'silent') from.pause()
  }

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const upstream = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true })
    keep(client, upstream)
    keep(upstream, client)
    if (way === 'cut') client.resetAndDestroy()
    pass(client, upstream)
    pass(upstream, client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    set: (next) => {
      way = next
      for (const socket of sockets) {
        if (way === 'cut') socket.resetAndDestroy()
        else if (way === 'silent') socket.pause()
        else socket.resume()
      }
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

/** Has the networks behave so for so long: that is the fault, and nothing is waited for. */
export async function disturb(networks: TcpProxy[], way: Way, ms: number): Promise<void> {
  for (const network of networks) network.set(way)
  await delay(ms)
  for (const network of networks) network.set('open')
}
