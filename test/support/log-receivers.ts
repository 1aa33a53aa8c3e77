import { createServer as createHttpServer, type IncomingHttpHeaders } from 'node:http'
import { createServer as createHttpsServer, type ServerOptions } from 'node:https'
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net'

type Post = { path: string; headers: IncomingHttpHeaders; frames: string[]; atMs: number }
/** A status, with headers if need be, or a way to behave badly. */
type Answer = number | { status: number; headers: Record<string, string> } | 'hang' | 'reset'

export type HttpReceiver = {
  url: string
  port: number
  posts: Post[]
  /** What the next posts are answered, in order; then, and while empty, `otherwise`. */
  answers: Answer[]
  otherwise: Answer
  close: () => Promise<void>
}

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
export async function startHttpReceiver(
  options: {
    port?: number
    tls?: ServerOptions
  } = {},
): Promise<HttpReceiver> {
  const { port = 0, tls } = options
  const receiver = { posts: [] as Post[], answers: [] as Answer[], otherwise: 204 as Answer }
  const listener: Parameters<typeof createHttpServer>[1] = (request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const frames = splitFrames(Buffer.concat(parts))
      const { url: path = '', headers } = request
      receiver.posts.push({ path, headers, frames, atMs: Date.now() })
      const answer = receiver.answers.shift() ?? receiver.otherwise
      if (answer === 'hang') return
      if (answer === 'reset') request.socket.destroy()
      else if (typeof answer === 'number') response.writeHead(answer).end()
      else response.writeHead(answer.status, answer.headers).end()
    })
  }
  const server = tls ? createHttpsServer(tls, listener) : createHttpServer(listener)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const bound = (server.address() as AddressInfo).port
  return Object.assign(receiver, {
    port: bound,
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${bound}/logs`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
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

/** A receiver of syslog drains. */
export async function startTcpReceiver(port = 0): Promise<TcpReceiver> {
  const received: Buffer[][] = []
  const sockets: Socket[] = []
  const server = createTcpServer((socket) => {
    const parts: Buffer[] = []
    received.push(parts)
    sockets.push(socket)
    socket.on('data', (part) => parts.push(part)).on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const bound = (server.address() as AddressInfo).port
  return {
    port: bound,
    url: `syslog://127.0.0.1:${bound}`,
    frames: () => received.flatMap((parts) => splitFrames(Buffer.concat(parts))),
    sockets,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}
