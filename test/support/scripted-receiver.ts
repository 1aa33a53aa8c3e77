import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import { createServer as createHttpsServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'

/** A status, with headers and a body if need be, or a way to behave badly. */
type Answer =
  | number
  | { status: number; headers: Record<string, string>; body?: Uint8Array }
  | 'hang'
  | 'reset'

/** An HTTP server of a third party that answers as it is told. */
export type ScriptedReceiver<Post> = {
  url: string
  port: number
  posts: Post[]
  /** What the next posts are answered, in order; then, and while empty, `otherwise`. */
  answers: Answer[]
  otherwise: Answer
  close: () => Promise<void>
}

/** @param options.read what is kept of a post */
export async function startScriptedReceiver<Post>(options: {
  path: string
  read: (request: IncomingMessage, body: Buffer) => Post
  port?: number | undefined
  tls?: ServerOptions | undefined
}): Promise<ScriptedReceiver<Post>> {
  const { path, read, port = 0, tls } = options
  const receiver = { posts: [] as Post[], answers: [] as Answer[], otherwise: 204 as Answer }
  const listener: Parameters<typeof createHttpServer>[1] = (request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      receiver.posts.push(read(request, Buffer.concat(parts)))
      const answer = receiver.answers.shift() ?? receiver.otherwise
      if (answer === 'hang') return
      if (answer === 'reset') request.socket.destroy()
      else if (typeof answer === 'number') response.writeHead(answer).end()
      else response.writeHead(answer.status, answer.headers).end(answer.body)
    })
  }
  const server = tls ? createHttpsServer(tls, listener) : createHttpServer(listener)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const bound = (server.address() as AddressInfo).port
  return Object.assign(receiver, {
    port: bound,
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${bound}${path}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  })
}
