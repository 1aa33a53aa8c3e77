import { createServer, type AddressInfo } from 'node:net'
import type { SinkAsk } from './sinks.ts'
import { serveWorker } from './worker.ts'

// Takes whatever comes over TCP and counts its bytes; nothing is looked at, so that it costs
// little.
let bytes = 0
const server = createServer({ noDelay: true }, (socket) => {
  socket.on('data', (chunk) => void (bytes += chunk.length))
  socket.on('error', () => undefined)
})
await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
const { port } = server.address() as AddressInfo

serveWorker<SinkAsk, number>(async ({ ask }) => {
  if (ask === 'port') return port
  if (ask === 'reset') bytes = 0
  return bytes
})
