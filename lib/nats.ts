import { connect, type NatsConnection } from '@nats-io/transport-node'
import type { Log } from '#lib/log.ts'
import { inboxPrefix } from '#lib/subjects.ts'

/**
 * Connects with the user and password in the url (nats://user:password@host:port) and keeps
 * reconnecting for ever: NATS may be away for a while, a service may not die of it.
 *
 * @param options.firstConnectMsMax gives up when there is no connection within that time.
 * @param options.hearsItself false: what it publishes does not come back to it.
 */
export async function connectNats(
  url: string,
  name: string,
  log: Log,
  options: { firstConnectMsMax?: number; hearsItself?: boolean } = {},
): Promise<NatsConnection> {
  const { host, username, password } = new URL(url)
  const { firstConnectMsMax, hearsItself = true } = options
  const nats = await connect({
    servers: host,
    name,
    user: decodeURIComponent(username),
    inboxPrefix: inboxPrefix(decodeURIComponent(username)),
    pass: decodeURIComponent(password),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    noEcho: !hearsItself,
    waitOnFirstConnect: firstConnectMsMax === undefined,
    ...(firstConnectMsMax !== undefined && { timeout: firstConnectMsMax }),
    ignoreAuthErrorAbort: true,
  }).catch((error: unknown) => {
    throw new Error(`NATS at ${host} cannot be used: ${(error as Error).message}`, { cause: error })
  })
  void (async () => {
    for await (const status of nats.status()) {
      if (status.type === 'disconnect' || status.type === 'reconnect' || status.type === 'error')
        log.info({ status: status.type }, 'nats connection changed')
    }
  })()
  return nats
}
