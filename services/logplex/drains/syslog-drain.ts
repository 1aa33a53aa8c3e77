import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { assertReachable, guardedLookup } from '#lib/target-guard.ts'
import type { Batch } from './batch.ts'
import {
  hostOf,
  isInsecure,
  whatFailed,
  type Carrier,
  type CarrierOptions,
  type Delivery,
} from './carrier.ts'
import { syslogFrame } from './drain-frame.ts'

/** Logplex's own defaults for urls. */
const defaultPorts = { tcp: 601, tls: 6514 }
/** Connections opened together do not close together. */
const idleFuzzMs = 15_000

/**
 * Sends batches over TCP or TLS with octet counting (RFC 6587, RFC 5425), one at a time over one
 * connection that closes when idle. Syslog has no answers, so a batch counts as accepted when the
 * system has taken all of its bytes: what a receiver that dies then had in its own or the network's
 * buffers is lost without either side hearing of it. Only an https drain can promise more.
 */
export function openSyslogDrain(transport: 'tcp' | 'tls', options: CarrierOptions): Carrier {
  const { token, limits } = options
  let socket: Socket | undefined

  const open = async (): Promise<Socket> => {
    const opened = await openSocket(transport, options)
    keep(opened)
    return opened
  }

  const keep = (opened: Socket): void => {
    const forget = (): void => {
      if (socket === opened) socket = undefined
      clearTimeout(old)
      opened.destroy()
    }
    const old = setTimeout(() => opened.end(), limits.syslogConnectionMsMax).unref()
    // An end from the other side, too: what is written after it would only be reset.
    opened.on('end', forget).on('error', forget).on('close', forget)
    opened.setTimeout(limits.syslogIdleMsMax + Math.random() * idleFuzzMs, forget)
    opened.resume()
    socket = opened
  }

  const send = async (batch: Batch): Promise<Delivery> => {
    const connection = socket?.writable ? socket : await open()
    const late = setTimeout(() => {
      connection.destroy(new Error(`the receiver took nothing for ${limits.syslogSendMsMax} ms`))
    }, limits.syslogSendMsMax)
    try {
      await new Promise<void>((resolve, reject) => {
        connection.once('error', reject)
        connection.write(batch.bytes, (error) => {
          connection.off('error', reject)
          // A write that a close has cut short is called back without an error.
          if (error || connection.destroyed) reject(error ?? new Error('the connection closed'))
          else resolve()
        })
      })
    } finally {
      clearTimeout(late)
    }
    return { kind: 'accepted' }
  }

  return {
    frame: syslogFrame(token),
    limits: { bytesMax: limits.syslogBatchBytesMax, linesMax: limits.batchLinesMax },
    deliver: (batch) => send(batch).catch(whatFailed),
    close: async () => {
      socket?.destroy(new Error('the drain was stopped'))
    },
  }
}

/** A connection on which lines may be sent: over TLS, to whom the url names. */
async function openSocket(
  transport: 'tcp' | 'tls',
  { url, mayBeLocal, trusted, limits }: CarrierOptions,
): Promise<Socket> {
  const host = hostOf(url)
  assertReachable(host, mayBeLocal)
  const port = Number(url.port) || defaultPorts[transport]
  const to = { host, port, lookup: guardedLookup(mayBeLocal), noDelay: true }
  const opened =
    transport === 'tcp'
      ? connectTcp(to)
      : connectTls({
          ...to,
          // An address is no name to ask for; the certificate is held against it all the same.
          ...(isIP(host) === 0 && { servername: host }),
          ...(trusted && { secureContext: trusted }),
          rejectUnauthorized: !isInsecure(url),
        })
  const deadline = setTimeout(() => {
    opened.destroy(new Error(`no connection within ${limits.syslogConnectMsMax} ms`))
  }, limits.syslogConnectMsMax)
  try {
    await new Promise<void>((resolve, reject) => {
      opened.once(transport === 'tls' ? 'secureConnect' : 'connect', resolve)
      opened.once('error', reject)
    })
  } finally {
    clearTimeout(deadline)
  }
  return opened
}
