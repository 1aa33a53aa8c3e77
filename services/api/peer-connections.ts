import type { Server } from 'node:net'
import { addressList, hasAddress } from '#lib/address-ranges.ts'

/**
 * Lets one peer hold so many connections at a time and closes further ones at once, so that nobody
 * takes all the connections of the process. A trusted proxy carries many clients and is not held
 * to it.
 */
export function boundPeerConnections(
  server: Server,
  options: { perPeerMax: number; trustedProxies: readonly string[] },
): void {
  const trusted = addressList(options.trustedProxies)
  const open = new Map<string, number>()
  server.on('connection', (socket) => {
    const peer = socket.remoteAddress
    if (peer === undefined || hasAddress(trusted, peer)) return
    const count = (open.get(peer) ?? 0) + 1
    if (count > options.perPeerMax) {
      socket.destroy()
      return
    }
    open.set(peer, count)
    socket.once('close', () => {
      const left = (open.get(peer) ?? 1) - 1
      if (left > 0) open.set(peer, left)
      else open.delete(peer)
    })
  })
}
