import { connect, type NatsConnection } from '@nats-io/transport-node'
import type { Log } from '#lib/log.ts'
import { inboxPrefix } from '#lib/subjects.ts'

/**
 * Connects with the user and password in the url (nats://user:password@host:port) and keeps
 * reconnecting for ever: NATS may be away for a while, a service may not die of it.
 */
export async function connectNats(url: string, name: string, log: Log): Promise<NatsConnection> {
  const { host, username, password } = new URL(url)
  const nats = await connect({
    servers: host,
    name,
    user: decodeURIComponent(username),
    inboxPrefix: inboxPrefix(decodeURIComponent(username)),
    pass: decodeURIComponent(password),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    waitOnFirstConnect: true,
    ignoreAuthErrorAbort: true,
  })
  void (async () => {
    for await (const status of nats.status()) {
      if (status.type === 'disconnect' || status.type === 'reconnect' || status.type === 'error')
        log.info({ status: status.type }, 'nats connection changed')
    }
  })()
  return nats
}
