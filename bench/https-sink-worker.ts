import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { SinkAsk } from './sinks.ts'
import { serveWorker } from './worker.ts'

// Takes the posts of https drains and counts the lines that their headers tell.
let lines = 0
const pem = readFileSync(process.env['BENCH_TLS_PEM'] ?? '')
const server = createServer({ key: pem, cert: pem }, (request, response) => {
  request.resume()
  request.on('end', () => {
    lines += Number(request.headers['logplex-msg-count'])
    response.writeHead(204).end()
  })
})
await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
const { port } = server.address() as AddressInfo

serveWorker<SinkAsk, number>(async ({ ask }) => {
  if (ask === 'port') return port
  if (ask === 'reset') lines = 0
  return lines
})
