import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { eventually } from '../../test/support/eventually.ts'
import { boundPeerConnections } from './peer-connections.ts'

let server: Server
const sockets: Socket[] = []

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
  server.close()
})

/** A server that greets whoever it lets in. */
async function listen(trustedProxies: string[]): Promise<number> {
  server = createServer()
  boundPeerConnections(server, { perPeerMax: 3, trustedProxies })
  server.on('connection', (socket) => void (socket.destroyed || socket.write('welcome')))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function isLetIn(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' })
  sockets.push(socket)
  return Promise.race([
    once(socket, 'data').then(() => true),
    once(socket, 'close').then(() => false),
  ])
}

test('one peer holds so many connections; a further one is closed until one is given back', async () => {
  const port = await listen([])
  for (let count = 0; count < 3; count++) expect(await isLetIn(port)).toBe(true)
  expect(await isLetIn(port)).toBe(false)
  sockets[0]?.destroy()
  await eventually(async () => expect(await isLetIn(port)).toBe(true))
  expect(await isLetIn(port)).toBe(false)
})

test('a trusted proxy is not held to it', async () => {
  const port = await listen(['127.0.0.0/8'])
  for (let count = 0; count < 10; count++) expect(await isLetIn(port)).toBe(true)
})
