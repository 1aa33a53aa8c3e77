import type { Socket } from 'node:net'
import type { Batch } from './batch.ts'
import { whatFailed, type Carrier, type CarrierOptions, type Delivery } from './carrier.ts'
import { connectTo, transportOf } from './connection.ts'
import { syslogFrameFor } from './syslog-format.ts'

/** Connections opened together do not close together. */
const idleFuzzMs = 15_000

/**
 * Sends batches over TCP or TLS with octet counting (RFC 6587, RFC 5425), one at a time over one
 * connection that closes when idle. Syslog has no answers, so a batch counts as accepted when the
 * system has taken all of its bytes: what a receiver that dies then had in its own or the network's
 * buffers is lost without either side hearing of it. Only an https drain can promise more.
 */
export function openSyslogDrain(options: CarrierOptions): Carrier {
  const { url, token, limits } = options
  let socket: Socket | undefined

  const open = async (): Promise<Socket> => {
    const opened = await connectTo(options, transportOf(url), limits.syslogConnectMsMax)
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
    const share = Math.max(1, batch.bytes.length / limits.syslogSendBytes)
    const msMax = Math.ceil(limits.syslogSendMsMax * share)
    const late = setTimeout(() => {
      connection.destroy(new Error(`the receiver did not take a batch within ${msMax} ms`))
    }, msMax)
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
    frame: syslogFrameFor(url, token),
    limits: { bytesMax: limits.syslogBatchBytesMax, linesMax: limits.batchLinesMax },
    deliver: (batch) => send(batch).catch(whatFailed),
    close: async () => {
      socket?.destroy(new Error('the drain was stopped'))
    },
  }
}
