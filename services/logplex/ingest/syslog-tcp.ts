import { createServer, type Server, type Socket } from 'node:net'
import type { Log } from '#lib/log.ts'
import {
  tcpConnectionsMax,
  tcpFrameSecondsMax,
  tcpIdleSecondsMax,
  tcpKeepAliveMs,
  tcpSweepMs,
} from '../limits.ts'
import { FrameScanner, type Scanner } from '../syslog/frame.ts'
import { LineScanner } from '../syslog/line-scanner.ts'
import type { IngestCounters } from './counters.ts'
import type { VisitorFor } from './frame-visitor.ts'
import type { Intake } from './intake.ts'
import type { ListenerSetting } from './listener-setting.ts'
import { anybody, newSender } from './sender-apps.ts'
import type { SyslogTls } from './syslog-tls.ts'

export type SyslogTcpOptions = {
  port: number
  host: string
  visitorFor: VisitorFor
  /** How frames are told apart: octet counting unless told otherwise. */
  framing?: ListenerSetting['framing']
  intake: Intake
  counters: IngestCounters
  /** With what to speak TLS; without it the bytes go as they are. */
  tls?: SyslogTls
  log: Log
}

export type SyslogListener = { port: number; close: () => Promise<void> }

type Connection = {
  socket: Socket
  scanner: Scanner
  lastDataAt: number
  /**
   * When what is unfinished began, a frame or a malformed piece, or undefined while there is none.
   */
  partialSince: number | undefined
}

/**
 * Syslog over TCP or TLS. Nothing is ever answered: what is malformed or has a
 * wrong token is counted, and the connection stays open.
 */
export async function listenSyslogTcp(options: SyslogTcpOptions): Promise<SyslogListener> {
  const { counters, intake, tls } = options
  const connections = new Set<Connection>()
  /** All that are open, also those that have not said yet who they are. */
  const sockets = new Set<Socket>()
  const server = tls?.createServer() ?? createPlainServer()
  server.maxConnections = tcpConnectionsMax
  server.on('drop', () => counters.connectionsClosed++)
  server.on('tlsClientError', () => counters.handshakesFailed++)
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    connections.add(receive(socket, options, (closed) => connections.delete(closed)))
  })
  intake.onRoom(() => {
    for (const { socket } of connections) socket.resume()
  })
  const sweep = setInterval(() => closeLate(connections, counters, Date.now()), tcpSweepMs)
  const port = await listen(server, options)
  return {
    port,
    close: async () => {
      clearInterval(sweep)
      const closed = new Promise<void>((done) => server.close(() => done()))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/**
 * Closes connections that hold the end of a frame or of a malformed piece back, or say nothing, for
 * too long.
 */
export function closeLate(
  connections: Iterable<Connection>,
  counters: IngestCounters,
  now: number,
): void {
  for (const { socket, partialSince, lastDataAt } of connections) {
    // A connection that we hold back ourselves is not late.
    if (socket.isPaused()) continue
    const slow = partialSince !== undefined && now - partialSince > tcpFrameSecondsMax * 1000
    if (!slow && now - lastDataAt <= tcpIdleSecondsMax * 1000) continue
    counters.connectionsClosed++
    socket.destroy()
  }
}

export function newConnection(socket: Socket, scanner: Scanner, now: number): Connection {
  return { socket, scanner, lastDataAt: now, partialSince: undefined }
}

/** Scans what came, and notes since when the peer owes the end of what it has begun. */
export function takeData(connection: Connection, bytes: Uint8Array, now: number): void {
  const { scanner } = connection
  const before = scanner.ended
  connection.lastDataAt = now
  scanner.push(bytes)
  if (!scanner.partial) connection.partialSince = undefined
  // What is unfinished now need not be what was: a busy sender's bytes are cut anywhere.
  else if (scanner.ended > before) connection.partialSince = now
  else connection.partialSince ??= now
}

function receive(
  socket: Socket,
  { visitorFor, framing, intake, counters, log }: SyslogTcpOptions,
  onClose: (connection: Connection) => void,
): Connection {
  const visit = visitorFor(socket.remoteAddress ?? '')
  const scanner = framing === 'newline' ? new LineScanner(visit) : new FrameScanner(visit)
  const connection = newConnection(socket, scanner, Date.now())
  const countMalformed = (): void => {
    counters.received += scanner.malformed
    counters.malformed += scanner.malformed
    scanner.malformed = 0
  }
  const sender = newSender()
  socket.on('data', (bytes) => {
    intake.sender = sender
    takeData(connection, bytes, Date.now())
    intake.sender = anybody
    countMalformed()
    const { route, several } = sender
    if (intake.heldBack) socket.pause()
    else if (route && !several && intake.isFull(route)) {
      socket.pause()
      intake.holdBack(route, socket)
    }
  })
  socket.on('error', (error) => log.debug({ err: error }, 'syslog connection failed'))
  socket.on('close', () => {
    scanner.end()
    countMalformed()
    onClose(connection)
  })
  return connection
}

function createPlainServer(): Server {
  return createServer({ keepAlive: true, keepAliveInitialDelay: tcpKeepAliveMs })
}

function listen(server: Server, { port, host }: SyslogTcpOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      const address = server.address()
      resolve(typeof address === 'object' && address ? address.port : port)
    })
  })
}
