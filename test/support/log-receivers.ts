import { createSocket } from 'node:dgram'
import type { IncomingHttpHeaders } from 'node:http'
import type { ServerOptions } from 'node:https'
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { decodeOtlpLogs, type OtlpLogs } from './otlp-logs.ts'
import { startScriptedReceiver, type ScriptedReceiver } from './scripted-receiver.ts'

type Post = { path: string; headers: IncomingHttpHeaders; frames: string[]; atMs: number }

export type HttpReceiver = ScriptedReceiver<Post>

/** The frames of an octet-counted run, lengths taken off; throws when it does not add up. */
function splitFrames(bytes: Buffer): string[] {
  const frames: string[] = []
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at)
    const length = Number(bytes.subarray(at, space).toString())
    const end = space + 1 + length
    if (space < 0 || !Number.isInteger(length) || end > bytes.length)
      throw new Error(`no whole frame at byte ${at}`)
    frames.push(bytes.subarray(space + 1, end).toString())
    at = end
  }
  return frames
}

/** A receiver of https drains that answers as it is told. */
export function startHttpReceiver(
  options: { port?: number; tls?: ServerOptions } = {},
): Promise<HttpReceiver> {
  return startScriptedReceiver({
    ...options,
    path: '/logs',
    read: ({ url: path = '', headers }, body) => ({
      ...{ path, headers, frames: splitFrames(body), atMs: Date.now() },
    }),
  })
}

type JsonPost = { headers: IncomingHttpHeaders; objects: unknown[] }

/** A receiver of drains that send JSON, an object a line. */
export function startJsonReceiver(): Promise<ScriptedReceiver<JsonPost>> {
  return startScriptedReceiver({
    path: '/in',
    read: ({ headers }, body) => ({
      headers,
      objects: body
        .toString()
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    }),
  })
}

type OtlpPost = { path: string; headers: IncomingHttpHeaders; logs: OtlpLogs; atMs: number }

/** A collector that takes logs over OTLP/HTTP and answers as it is told. */
export function startOtlpCollector(): Promise<ScriptedReceiver<OtlpPost>> {
  return startScriptedReceiver({
    path: '/v1/logs',
    read: ({ url: path = '', headers }, body) => ({
      ...{ path, headers, logs: decodeOtlpLogs(body), atMs: Date.now() },
    }),
  })
}

export type TcpReceiver = {
  url: string
  port: number
  /** Whole frames of all connections, in the order of their bytes on each. */
  frames: () => string[]
  sockets: Socket[]
  close: () => Promise<void>
}

/** A receiver of syslog drains, over TLS when it is given a key and a certificate. */
export async function startTcpReceiver(port = 0, tls?: TlsOptions): Promise<TcpReceiver> {
  const received: Buffer[][] = []
  const sockets: Socket[] = []
  const take = (socket: Socket): void => {
    const parts: Buffer[] = []
    received.push(parts)
    socket.on('data', (part) => parts.push(part)).on('error', () => undefined)
  }
  const server = tls ? createTlsServer(tls, take) : createTcpServer(take)
  server.on('connection', (socket: Socket) => sockets.push(socket))
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const bound = (server.address() as AddressInfo).port
  return {
    port: bound,
    url: `syslog${tls ? '+tls' : ''}://127.0.0.1:${bound}`,
    frames: () => received.flatMap((parts) => splitFrames(Buffer.concat(parts))),
    sockets,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

export type UdpReceiver = {
  url: string
  port: number
  /** In the order of arrival. */
  datagrams: string[]
  close: () => Promise<void>
}

/** A receiver of udpsyslog drains. */
export async function startUdpReceiver(port = 0): Promise<UdpReceiver> {
  const datagrams: string[] = []
  const socket = createSocket('udp4', (bytes) => datagrams.push(bytes.toString()))
  await new Promise<void>((resolve) => socket.bind(port, '127.0.0.1', resolve))
  const bound = socket.address().port
  return {
    ...{ datagrams, port: bound, url: `udpsyslog://127.0.0.1:${bound}` },
    close: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  }
}
