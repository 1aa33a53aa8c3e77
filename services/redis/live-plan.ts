import { createClient } from 'redis'
import {
  ensureRunning,
  probeInstance,
  stopInstance,
  writeConf,
  type Instance,
  type InstanceHost,
} from './instance-process.ts'
import { probeTimeoutMs } from './limits.ts'
import { adminUser, limitsAndTuning, passwordHashes } from './redis-conf.ts'

// A running instance takes another plan's limits, its passwords, and what its customer sets, as they
// are, without a restart and without ending a connection. With a smaller plan, connections beyond its number
// stay; new ones are refused until there are fewer.
//
// Two instances are restarted instead, their data written out: one that was started before the
// provider was given the right to set all of that, and one whose connections, ours included, stay
// all taken. The latter is what somebody looks like who needs the larger plan most.

/**
 * Holds the instance to its plan and to what its customer set: in the file that it is started with,
 * and as it runs. One that does not run is started. Throws when it does not answer, and, unless it
 * may be restarted, when it has no connection left for us or was started without our rights.
 */
export async function holdToPlan(
  host: InstanceHost,
  instance: Instance,
  { mayRestart }: { mayRestart: boolean },
): Promise<void> {
  const found = await probeInstance(host, instance)
  if (found === 'ours') {
    await writeConf(host, instance)
    if (await setLimits(instance)) return
    if (!mayRestart) throw new Error('the instance has to be restarted for it')
  } else if (found === 'full' && !mayRestart) {
    throw new Error('all connections of the instance are in use')
  } else if (found !== 'full' && found !== 'nobody') {
    throw new Error(`its port ${instance.port} is ${found}`)
  }
  await stopInstance(host, instance.addonId)
  if ((await ensureRunning(host, instance)) === 'port-taken')
    throw new Error(`somebody else has its port ${instance.port}`)
}

/** False when the instance does not let us: its rights are those of its start. */
async function setLimits(instance: Instance): Promise<boolean> {
  const { adminPassword: password } = instance
  try {
    await withConnection({ ...instance, username: adminUser, password }, (client) =>
      setAll(client, instance),
    )
    return true
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('NOPERM')) return false
    throw error
  }
}

async function setAll(client: Client, instance: Instance): Promise<void> {
  // First, so that trouble with a limit leaves no revoked password good. One that was started
  // before we were given the right to it stays as it is until it has to.
  if (instance.rotated) {
    // One command, so that no moment is without a password; connections that are open stay.
    await client.aclSetUser('default', [
      ...['resetpass', '-client|kill'],
      ...passwordHashes(instance),
    ])
  }
  await client.configSet(limitsAndTuning(instance))
}

/**
 * Ends connections of customers: all of them, or those that surely are from before that time, in
 * milliseconds since 1970. An instance tells ages in whole seconds, so that those of the last two
 * seconds before it stay.
 */
export async function endConnections(
  instance: Instance,
  which: { beforeMs: number } | 'every',
): Promise<void> {
  const { adminPassword: password } = instance
  await withConnection({ ...instance, username: adminUser, password }, async (client) => {
    const openedMs = (age: number): number => Date.now() - (age - 1) * 1000
    for (const { id, user, age } of await client.clientList()) {
      if (user !== 'default') continue
      if (which === 'every' || openedMs(age) < which.beforeMs)
        await client.clientKill({ filter: 'ID', id })
    }
  })
}

/**
 * Bytes that count against the instance's memory. Undefined when that cannot be seen now: it is
 * full, does not run or does not answer.
 */
export async function readUsedMemory(
  host: InstanceHost,
  instance: Instance,
): Promise<number | undefined> {
  if ((await probeInstance(host, instance)) !== 'ours') return undefined
  // The customer may look at this, and so may we in its name, also with an older instance.
  const memory = await withConnection({ ...instance, username: 'default' }, (client) =>
    client.info('memory'),
  )
  return usedMemory(memory)
}

/** What writes are measured by: buffers of the append-only file are not counted by the server. */
export function usedMemory(info: string): number {
  return numberIn(info, 'used_memory') - numberIn(info, 'mem_not_counted_for_evict')
}

export function numberIn(info: string, name: string): number {
  return Number(textIn(info, name))
}

/** A field of what an instance says of itself; throws when it is not there. */
export function textIn(info: string, name: string): string {
  const value = new RegExp(`^${name}:([^\\r\\n]*)\\r?$`, 'm').exec(info)?.[1]
  if (value === undefined) throw new Error(`no ${name} in what the instance says of itself`)
  return value
}

type Client = ReturnType<typeof newClient>

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

/** Does something as a user of the instance at that port. Throws when it does not answer in time. */
export async function withConnection<T>(
  login: { port: number; username: string; password: string },
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = newClient(login)
  // What fails is an answer of the command that waits.
  client.on('error', () => undefined)
  try {
    await client.connect()
    return await work(client)
  } finally {
    if (client.isOpen) client.destroy()
  }
}
