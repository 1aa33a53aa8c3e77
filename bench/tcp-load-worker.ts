import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { blockOf, frameOf } from './frames.ts'
import { serveWorker } from './worker.ts'

export type TcpLoad = {
  port: number
  connections: number
  tokens: string[]
  bodyBytes: number
  lines: number
  /** Lines a second over all connections, or `saturated`. */
  pace: number
}

const tickMs = 10

// Sends lines over TCP and answers when all are handed over: how many.
serveWorker<TcpLoad, { lines: number }>(async (load) => {
  const sockets = await Promise.all(
    Array.from({ length: load.connections }, async () => {
      const socket = connect({ port: load.port, host: '127.0.0.1', noDelay: true })
      await once(socket, 'connect')
      return socket
    }),
  )
  const lines = load.pace > 0 ? await sendPaced(sockets, load) : await sendAll(sockets, load)
  await Promise.all(sockets.map((socket) => new Promise<void>((done) => socket.end(() => done()))))
  return { lines }
})

async function sendAll(sockets: Socket[], { tokens, bodyBytes, lines }: TcpLoad): Promise<number> {
  const block = blockOf(tokens, bodyBytes)
  const each = Math.ceil(lines / block.lines / sockets.length)
  await Promise.all(
    sockets.map(async (socket) => {
      for (let sent = 0; sent < each; sent++)
        if (!socket.write(block.bytes)) await once(socket, 'drain')
    }),
  )
  return each * block.lines * sockets.length
}

/** Every tick the lines that are due, the tokens in turn. */
async function sendPaced(
  sockets: Socket[],
  { tokens, bodyBytes, lines, pace }: TcpLoad,
): Promise<number> {
  const frames = tokens.map((token) => frameOf(token, bodyBytes))
  const startedMs = performance.now()
  let sent = 0
  for (let tick = 1; sent < lines; tick++) {
    await delay(Math.max(0, startedMs + tick * tickMs - performance.now()))
    const due = Math.min(lines, Math.floor(((performance.now() - startedMs) / 1000) * pace))
    const runs: Buffer[][] = sockets.map(() => [])
    for (; sent < due; sent++)
      runs[sent % sockets.length]?.push(frames[sent % frames.length] ?? Buffer.alloc(0))
    sockets.forEach((socket, index) => {
      const run = runs[index] ?? []
      if (run.length > 0) socket.write(Buffer.concat(run))
    })
  }
  return sent
}
