import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { Server } from 'node:net'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { startEgressShim, type EgressShim } from '../../egress-shim/egress-shim.ts'
import { herokuHosts } from '../../egress-shim/heroku-hosts.ts'
import { loadPrivateCa, type PrivateCa } from '../../local-platform/private-ca.ts'

type Options = Partial<Parameters<typeof startEgressShim>[0]>

export type TestShim = {
  shim: EgressShim
  ca: PrivateCa
  /** What it told the operator. */
  said: string[]
  proxyUrl: string
  stop: () => Promise<void>
}

/** A shim on free ports with a CA of its own; without an origin nothing answers there. */
export async function startTestShim(options: Options = {}): Promise<TestShim> {
  const folder = mkdtempSync(join(tmpdir(), 'plexus-egress-'))
  const ca = await loadPrivateCa({ folder, commonName: 'Plexus test', permitted: herokuHosts })
  const said: string[] = []
  const shim = await startEgressShim({
    proxy: { host: '127.0.0.1', port: 0 },
    direct: { host: '127.0.0.1', port: 0 },
    origin: new URL('http://127.0.0.1:1'),
    issue: () => ca.issue(herokuHosts),
    say: (text) => void said.push(text),
    ...options,
  })
  const stop = async (): Promise<void> => {
    await shim.stop()
    rmSync(folder, { recursive: true })
  }
  return { shim, ca, said, proxyUrl: `http://127.0.0.1:${shim.proxy.port}`, stop }
}

/** Lets a server listen on a free port of this machine and answers that. */
export async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** A plain socket to the proxy on which `text` has been sent. */
export async function speak({ shim }: TestShim, text: string): Promise<Socket> {
  const socket = connect({ ...shim.proxy, allowHalfOpen: true })
  await once(socket, 'connect')
  socket.write(text)
  return socket
}

/** All that comes until the other side ends or resets the connection. */
export async function readToEnd(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => void chunks.push(chunk))
  await new Promise<void>((done) => {
    socket.once('end', done)
    socket.once('close', () => done())
    socket.once('error', () => done())
  })
  socket.destroy()
  return Buffer.concat(chunks).toString('latin1')
}

/** The socket after a CONNECT that was granted. */
export async function connectThrough(shim: TestShim, authority: string): Promise<Socket> {
  const socket = await speak(shim, `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)
  const ended = once(socket, 'end').then(() => ['closed without an answer'])
  const [answer] = (await Promise.race([once(socket, 'data'), ended])) as [Buffer | string]
  if (answer.toString().startsWith('HTTP/1.1 200 ')) return socket
  socket.destroy()
  throw new Error(answer.toString())
}

/** TLS with one of Heroku's hosts, through the proxy, as a client that trusts the CA. */
export async function tlsThrough(shim: TestShim, host = 'api.heroku.com'): Promise<TLSSocket> {
  const socket = await connectThrough(shim, `${host}:443`)
  const secure = connectTls({ socket, servername: host, ca: shim.ca.certificate })
  await once(secure, 'secureConnect')
  return secure
}
