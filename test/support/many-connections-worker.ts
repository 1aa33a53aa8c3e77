import { connect, type Socket } from 'node:net'
import type { Wish } from './many-connections.ts'

// Holds connections of many-connections.ts in a process of its own, which has descriptors of its
// own.

/** As many at a time as a machine with a small backlog takes. */
const connectsAtOnce = 100
const sourceAddresses = 20
const sockets: Socket[] = []

function open(port: number, at: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const localAddress = `127.0.0.${2 + (at % sourceAddresses)}`
    const socket = connect({ port, host: '127.0.0.1', localAddress }, () => resolve(socket))
    socket.once('error', reject)
  })
}

async function openAll(port: number, begun: string[]): Promise<void> {
  for (let at = 0; at < begun.length; at += connectsAtOnce) {
    const some = begun.slice(at, at + connectsAtOnce)
    sockets.push(...(await Promise.all(some.map((_, index) => open(port, at + index)))))
  }
  sockets.forEach((socket, at) => socket.write(begun[at] ?? ''))
}

async function endAll(rest: string[]): Promise<void> {
  const closed = sockets.map((socket) => new Promise((done) => socket.once('close', done)))
  sockets.forEach((socket, at) => socket.resume().end(rest[at] ?? ''))
  await Promise.all(closed)
}

process.on('message', (wish: Wish) => {
  const done = 'begun' in wish ? openAll(wish.port, wish.begun) : endAll(wish.rest)
  done.then(
    () => process.send?.('done'),
    (error: unknown) => process.send?.(String(error)),
  )
})
