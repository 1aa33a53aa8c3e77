import { connect, type Socket } from 'node:net'
import { assertReachable, guardedLookup } from '#lib/target-guard.ts'
import type { Batch } from './batch.ts'
import type { Carrier, Delivery } from './carrier.ts'
import { syslogFrame } from './drain-frame.ts'
import type { CarrierOptions } from './https-drain.ts'

/** Logplex's own default for urls. */
const defaultPort = 601
/** Connections opened together do not close together. */
const idleFuzzMs = 15_000

/**
 * Sends batches over TCP with octet counting (RFC 6587), one at a time over one connection that
 * closes when idle. Syslog has no answers, so a batch counts as accepted when the system has taken
 * all of its bytes: what a receiver that dies then had in its own or the network's buffers is lost
 * without either side hearing of it. Only an https drain can promise more.
 */
export function openSyslogDrain({ url, token, mayBeLocal, limits }: CarrierOptions): Carrier {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = Number(url.port) || defaultPort
  let socket: Socket | undefined

  const open = async (): Promise<Socket> => {
    assertReachable(host, mayBeLocal)
    const opened = connect({ host, port, lookup: guardedLookup(mayBeLocal), noDelay: true })
    const deadline = setTimeout(() => {
      opened.destroy(new Error(`no connection within ${limits.syslogConnectMsMax} ms`))
    }, limits.syslogConnectMsMax)
    try {
      await new Promise<void>((resolve, reject) => {
        opened.once('connect', resolve)
        opened.once('error', reject)
      })
    } finally {
      clearTimeout(deadline)
    }
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
    deliver: (batch) =>
      send(batch).catch((error: unknown) => ({
        kind: 'retry',
        reason: error instanceof Error ? error.message : 'the connection failed',
      })),
    close: async () => {
      socket?.destroy(new Error('the drain was stopped'))
    },
  }
}
