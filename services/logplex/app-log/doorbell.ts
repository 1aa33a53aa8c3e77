import type { NatsConnection } from '@nats-io/transport-node'
import { parseId, type AppId } from '#lib/ids.ts'
import type { Log } from '#lib/log.ts'
import { allLogGrew, logGrewSubject } from '#lib/subjects.ts'

/**
 * Doorbells are spread over so many subjects, so that later a reader may hear a part of them only.
 */
const shards = 16
/** What has grown is told together: each message costs its sender, the server and every reader. */
const tellAfterMs = 5

/** Tells other processes that logs have grown, and hears it from them. No log line crosses here. */
export type Doorbell = {
  /** False while NATS is away: nothing is told or heard then. */
  connected: () => boolean
  ring: (appId: AppId, head: number) => void
  stop: () => void
}

/**
 * A message is `<app id> <head>` per line: what has grown within some milliseconds. Losing one
 * makes readers elsewhere late, not wrong.
 */
export function openDoorbell(
  nats: NatsConnection,
  heard: (appId: AppId, head: number) => void,
  log: Log,
): Doorbell {
  const grown = new Map<AppId, number>()
  let timer: NodeJS.Timeout | undefined
  let connected = true
  void (async () => {
    for await (const { type } of nats.status()) {
      if (type === 'disconnect') connected = false
      if (type === 'reconnect') connected = true
    }
  })()
  const subscription = nats.subscribe(allLogGrew, {
    // An exception in here would close the whole connection.
    callback: (error, message) => {
      try {
        if (error) throw error
        for (const line of message.string().split('\n')) hear(line, heard)
      } catch (hearError) {
        log.warn({ err: hearError }, 'doorbell message could not be used')
      }
    },
  })
  const flush = (): void => {
    const lines = new Map<number, string[]>()
    for (const [appId, head] of grown) {
      const shard = shardOf(appId)
      const list = lines.get(shard)
      if (list) list.push(`${appId} ${head}`)
      else lines.set(shard, [`${appId} ${head}`])
    }
    grown.clear()
    if (!connected || nats.isClosed()) return
    for (const [shard, list] of lines) nats.publish(logGrewSubject(shard), list.join('\n'))
  }
  return {
    connected: () => connected,
    ring(appId, head) {
      if (grown.size === 0) timer = setTimeout(flush, tellAfterMs)
      grown.set(appId, head)
    },
    stop: () => {
      clearTimeout(timer)
      subscription.unsubscribe()
    },
  }
}

function hear(line: string, heard: (appId: AppId, head: number) => void): void {
  const [id = '', number] = line.split(' ')
  const appId = parseId<AppId>(id)
  const head = Number(number)
  if (!appId || !Number.isSafeInteger(head)) throw new Error('not a doorbell message')
  heard(appId, head)
}

function shardOf(appId: AppId): number {
  return Number.parseInt(appId.slice(0, 2), 16) % shards
}
