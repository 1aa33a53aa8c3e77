import { withConnection, type InstanceClient } from './instance-client.ts'
import {
  ensureRunning,
  probeInstance,
  stopInstance,
  writeConf,
  type Instance,
  type InstanceHost,
} from './instance-process.ts'
import { adminUser, limitsAndTuning, passwordHashes } from './redis-conf.ts'

// A running instance takes another plan's limits, its passwords, and what its customer sets, as they
// are, without a restart and without ending a connection. With a smaller plan, connections beyond
// its number stay; new ones are refused until there are fewer.
//
// Two instances are restarted instead, their data written out: one that was started before the
// provider was given the right to set all of that, and one that stays full, its connections, ours
// included, all taken or a script running. The latter is what somebody looks like who needs the
// larger plan most.

/**
 * Holds the instance to its plan and to what its customer set: in the file that it is started with,
 * and as it runs. One that does not run is started. Throws when it does not answer, and, unless it
 * may be restarted, when it is full or was started without our rights.
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
  try {
    await withConnection(instance, adminUser, (client) => setAll(client, instance))
    return true
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('NOPERM')) return false
    throw error
  }
}

async function setAll(client: InstanceClient, instance: Instance): Promise<void> {
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
  await withConnection(instance, adminUser, async (client) => {
    const openedMs = (age: number): number => Date.now() - (age - 1) * 1000
    for (const { id, user, age } of await client.clientList()) {
      if (user !== 'default') continue
      if (which === 'every' || openedMs(age) < which.beforeMs)
        await client.clientKill({ filter: 'ID', id })
    }
  })
}
