import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { Log } from '#lib/log.ts'
import { udpReceiveBytes } from '../limits.ts'
import type { IngestCounters } from './counters.ts'
import type { VisitorFor } from './frame-visitor.ts'
import type { Intake } from './intake.ts'
import type { SyslogListener } from './syslog-tcp.ts'

export type SyslogUdpOptions = {
  port: number
  host: string
  visitorFor: VisitorFor
  intake: Intake
  counters: IngestCounters
  log: Log
}

/**
 * Syslog over UDP: a datagram is a message, without a length. Nobody can be held back here, so what
 * comes while senders are to be is dropped at once, and the room that is left is for those who can.
 */
export async function listenSyslogUdp(options: SyslogUdpOptions): Promise<SyslogListener> {
  const { port, host, visitorFor, intake, counters, log } = options
  const type = isIPv6(host) ? 'udp6' : 'udp4'
  const socket = createSocket({ type, recvBufferSize: udpReceiveBytes })
  socket.on('message', (bytes, { address }) => {
    const end = endOfText(bytes)
    if (end > 0 && !intake.heldBack) {
      visitorFor(address)(bytes, 0, end)
      return
    }
    counters.received++
    if (intake.heldBack) counters.droppedBufferFull++
    else counters.malformed++
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.bind(port, host, () => {
      socket.off('error', reject)
      resolve()
    })
  })
  socket.on('error', (error) => log.warn({ err: error }, 'syslog over UDP'))
  return {
    port: socket.address().port,
    close: () => new Promise((done) => socket.close(() => done())),
  }
}

/** Many senders end a datagram as they would a line of a file, or a string in C. */
function endOfText(bytes: Uint8Array): number {
  let end = bytes.length
  while (end > 0 && isEnding(bytes[end - 1] ?? 0)) end--
  return end
}

const isEnding = (byte: number): boolean => byte === 0x0a || byte === 0x0d || byte === 0
