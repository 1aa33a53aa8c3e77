import { createClient } from 'redis'
import { probeTimeoutMs } from './limits.ts'
import { adminUser, type InstanceSettings } from './redis-conf.ts'

export type InstanceClient = ReturnType<typeof newClient>

const newClient = (login: { port: number; username: string; password: string }) =>
  createClient({
    username: login.username,
    password: login.password,
    socket: {
      host: '127.0.0.1',
      port: login.port,
      reconnectStrategy: false,
      connectTimeout: probeTimeoutMs,
      // Also for the answer: a server that hangs is still connected to.
      socketTimeout: probeTimeoutMs,
    },
    disableOfflineQueue: true,
    disableClientInfo: true,
  })

/**
 * Does something as that user of a running instance, its customer's or ours. Throws when it does
 * not answer in time.
 */
export async function withConnection<T>(
  { port, password, adminPassword }: InstanceSettings,
  username: 'default' | typeof adminUser,
  work: (client: InstanceClient) => Promise<T>,
): Promise<T> {
  const ours = username === adminUser
  const client = newClient({ port, username, password: ours ? adminPassword : password })
  // What fails is an answer of the command that waits.
  client.on('error', () => undefined)
  try {
    await client.connect()
    return await work(client)
  } finally {
    if (client.isOpen) client.destroy()
  }
}

/** What writes are measured by: buffers of the append-only file are not counted by the server. */
export function usedMemory(info: string): number {
  return numberIn(info, 'used_memory') - numberIn(info, 'mem_not_counted_for_evict')
}

export function numberIn(info: string, name: string): number {
  return Number(textIn(info, name))
}

/** A field of what an instance says of itself (INFO); throws when it is not there. */
export function textIn(info: string, name: string): string {
  const value = new RegExp(`^${name}:([^\\r\\n]*)\\r?$`, 'm').exec(info)?.[1]
  if (value === undefined) throw new Error(`no ${name} in what the instance says of itself`)
  return value
}
