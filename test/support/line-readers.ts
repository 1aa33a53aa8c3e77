import { createServer, type AddressInfo, type Socket } from 'node:net'
import { startHttpReceiver, type HttpReceiver } from './log-receivers.ts'
import { LineAccount } from './line-account.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

/** Somebody who reads an app's log, and what became of it so far. */
export type LineReader = {
  name: string
  account: () => LineAccount
  close: () => Promise<void>
}

/** A receiver of an https drain behind a network of its own. */
export type HttpLineReader = LineReader & { url: string; network: TcpProxy; receiver: HttpReceiver }

export async function startHttpReader(name: string): Promise<HttpLineReader> {
  const receiver = await startHttpReceiver()
  const network = await startTcpProxy(receiver.port)
  const account = new LineAccount()
  let read = 0
  return {
    ...{ name, receiver, network, url: `http://127.0.0.1:${network.port}/logs` },
    account: () => {
      for (; read < receiver.posts.length; read++)
        for (const frame of receiver.posts[read]?.frames ?? []) account.take(frame)
      return account
    },
    close: async () => {
      await network.close()
      await receiver.close()
    },
  }
}

/** A receiver of a syslog drain: what a connection that broke has left half is not a line. */
export async function startSyslogReader(name: string): Promise<LineReader & { url: string }> {
  const connections: Buffer[][] = []
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    const parts: Buffer[] = []
    connections.push(parts)
    sockets.push(socket)
    socket.on('data', (part) => parts.push(part)).on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    name,
    url: `syslog://127.0.0.1:${port}`,
    // One connection after the other: a process that was paused ends its last batch late.
    account: () => {
      const account = new LineAccount()
      for (const parts of connections) takeFrames(Buffer.concat(parts), account)
      return account
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

function takeFrames(bytes: Buffer, account: LineAccount): void {
  for (let at = 0; ;) {
    const space = bytes.indexOf(0x20, at)
    const end = space + 1 + Number(bytes.subarray(at, space).toString())
    if (space < 0 || end > bytes.length) return
    account.take(bytes.subarray(space + 1, Math.min(end, space + 200)).toString())
    at = end
  }
}

/**
 * A tail over SSE, open when this returns, that comes back to the next process when its stream
 * ends.
 */
export async function followTail(name: string, urls: string[]): Promise<LineReader> {
  const account = new LineAccount()
  const stop = new AbortController()
  let lastEventId = ''
  let at = 0
  const opened = Promise.withResolvers<void>()
  const takeEvent = (event: string): void => {
    lastEventId = /^id: (\d+)$/m.exec(event)?.[1] ?? lastEventId
    const line = /^data: (.*)$/m.exec(event)?.[1]
    if (line !== undefined) account.take(line)
  }
  const readStream = async (): Promise<void> => {
    const headers = { accept: 'text/event-stream', 'last-event-id': lastEventId }
    const { signal } = stop
    const answer = await fetch(urls[at++ % urls.length] ?? '', { headers, signal })
    opened.resolve()
    let text = ''
    for await (const bytes of answer.body ?? []) {
      text += Buffer.from(bytes).toString('latin1')
      const events = text.split('\n\n')
      text = events.pop() ?? ''
      for (const event of events) takeEvent(event)
    }
  }
  let failure: unknown
  const reading = (async () => {
    while (!stop.signal.aborted)
      await readStream().catch((error: unknown) => {
        // A stream that broke is opened again; an account that does not add up is the test's.
        if (error instanceof Error && error.message.includes(' came behind ')) failure = error
      })
  })()
  await opened.promise
  return {
    name,
    account: () => {
      if (failure !== undefined) throw failure as Error
      return account
    },
    close: async () => {
      stop.abort()
      await reading
    },
  }
}
