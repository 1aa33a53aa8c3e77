import { createSocket, type Socket } from 'node:dgram'
import { setTimeout as delay } from 'node:timers/promises'
import { resolveTarget } from '#lib/target-guard.ts'
import type { Batch } from './batch.ts'
import { hostOf, whatFailed, type Carrier, type CarrierOptions, type Delivery } from './carrier.ts'
import { portOf } from './connection.ts'
import { syslogFrameFor } from './syslog-format.ts'

/** A socket for one address: so it hears when nobody listens there. */
type Connected = { socket: Socket; openedAt: number; isProven: boolean }

/**
 * Sends each line as a datagram (RFC 5426): the syslog frame without its length, never cut. One
 * that is longer than a datagram may be is refused and counted. Nobody says that a datagram has
 * come: a batch counts as accepted when the system has taken it and no refusal (ICMP, "nobody
 * listens") came back soon: on a new socket as long as an answer may be under way, then for a
 * moment only.
 */
export function openUdpDrain({ url, token, mayBeLocal, limits }: CarrierOptions): Carrier {
  let connected: Connected | undefined
  /** The refusal of a batch that counts as accepted already: the next one waits for it. */
  let refusal: Error | undefined
  let idle: NodeJS.Timeout | undefined

  const forget = (): void => {
    clearTimeout(idle)
    const closing = connected
    connected = undefined
    closing?.socket.close()
  }

  const open = async (): Promise<Connected> => {
    const socket = await openSocket(url, mayBeLocal, limits.syslogConnectMsMax)
    const opened = { socket, openedAt: Date.now(), isProven: false }
    socket.on('error', (error) => {
      if (connected !== opened) return
      refusal = error
      forget()
    })
    connected = opened
    return opened
  }

  const send = async (batch: Batch): Promise<Delivery> => {
    clearTimeout(idle)
    if (refusal) throw refusal
    if (connected && Date.now() - connected.openedAt > limits.syslogConnectionMsMax) forget()
    const current = connected ?? (await open())
    const quietMs = current.isProven ? limits.udpRefusalMs : limits.udpFirstRefusalMs
    const sending = async (): Promise<number> => {
      const tooLong = await sendFrames(current.socket, batch.bytes, limits.udpDatagramBytesMax)
      await delay(quietMs)
      return tooLong
    }
    const lines = await unlessEnded(current.socket, sending(), limits.syslogSendMsMax + quietMs)
    current.isProven = true
    idle = setTimeout(forget, limits.syslogIdleMsMax).unref()
    if (lines === 0) return { kind: 'accepted' }
    return { kind: 'accepted', refused: { lines, reason: 'a line is too long for a datagram' } }
  }

  return {
    frame: syslogFrameFor(url, token),
    limits: { bytesMax: limits.syslogBatchBytesMax, linesMax: limits.udpBatchLinesMax },
    deliver: (batch) =>
      send(batch).catch((error: unknown) => {
        forget()
        refusal = undefined
        return whatFailed(error)
      }),
    close: async () => forget(),
  }
}

async function openSocket(url: URL, mayBeLocal: boolean, msMax: number): Promise<Socket> {
  const host = hostOf(url)
  const [to] = await Promise.race([
    resolveTarget(host, mayBeLocal),
    delay(msMax, [undefined], { ref: false }),
  ])
  if (!to) throw new Error(`${host} was not found within ${msMax} ms`)
  const socket = createSocket(to.family === 6 ? 'udp6' : 'udp4')
  const connecting = new Promise<void>((resolve) => socket.once('connect', resolve))
  socket.connect(portOf(url), to.address)
  await unlessEnded(socket, connecting, msMax)
  return socket
}

/**
 * Sends an octet-counted run, each frame as a datagram without its length.
 *
 * @returns how many were too long for that.
 */
async function sendFrames(socket: Socket, bytes: Buffer, bytesMax: number): Promise<number> {
  const sent: Promise<boolean>[] = []
  for (let at = 0; at < bytes.length;) {
    const start = bytes.indexOf(0x20, at) + 1
    const end = start + Number(bytes.toString('latin1', at, start - 1))
    if (end - start > bytesMax) sent.push(Promise.resolve(false))
    else sent.push(sendDatagram(socket, bytes.subarray(start, end)))
    at = end
  }
  return (await Promise.all(sent)).filter((isSent) => !isSent).length
}

/** False when the system calls it too long. */
function sendDatagram(socket: Socket, datagram: Buffer): Promise<boolean> {
  return new Promise((resolve, reject) =>
    socket.send(datagram, (error: NodeJS.ErrnoException | null) => {
      if (error && error.code !== 'EMSGSIZE') reject(error)
      else resolve(!error)
    }),
  )
}

/** What the work gives, unless the socket fails or is closed before, or it takes longer. */
function unlessEnded<T>(socket: Socket, work: Promise<T>, msMax: number): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const closed = (): void => reject(new Error('the socket was closed'))
    const late = setTimeout(() => reject(new Error(`nothing was sent for ${msMax} ms`)), msMax)
    socket.once('error', reject).once('close', closed)
    void work.then(resolve, reject).finally(() => {
      clearTimeout(late)
      socket.off('error', reject).off('close', closed)
    })
  })
}
