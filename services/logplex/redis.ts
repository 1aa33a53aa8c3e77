import { createClient, RESP_TYPES } from 'redis'
import type { Log } from '#lib/log.ts'

/**
 * A connection to Redis whose bulk strings are Buffers: log bytes are never turned into text.
 * It reconnects for ever; commands given while it is away fail at once, so that the caller's own
 * bounded buffer, and not the client's, decides what waits.
 */
export async function connectRedis(url: string, log: Log) {
  const client = createClient({
    url,
    disableOfflineQueue: true,
    socket: { connectTimeout: 5_000, reconnectStrategy: (tries) => Math.min(tries * 50, 1_000) },
    commandOptions: {
      typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer },
      // The client's own is for commands that wait to be sent, as none does here, and costs an
      // AbortSignal with a timer for each: a third of what a command costs.
      timeout: 0,
    },
  })
  client.on('error', (error: Error) => log.warn({ err: error }, 'redis connection error'))
  await client.connect()
  return client
}

export type Redis = Awaited<ReturnType<typeof connectRedis>>
