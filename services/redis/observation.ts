import { numberIn, textIn, usedMemory, withConnection } from './instance-client.ts'
import { probeInstance, type Instance, type InstanceHost } from './instance-process.ts'

/** What a running instance says of itself. */
export type Observation = {
  /** "7.0.15" */
  version: string
  /** Connections of customers. */
  connections: number
  /** Bytes that count against its memory. */
  memoryBytes: number
}

/** Undefined when that cannot be seen now: it is full, does not run or does not answer. */
export async function observeInstance(
  host: InstanceHost,
  instance: Instance,
): Promise<Observation | undefined> {
  if ((await probeInstance(host, instance)) !== 'ours') return undefined
  try {
    // The customer may look at this, and so may we in its name, also with an older instance.
    const info = await withConnection(instance, 'default', (client) => client.info())
    return {
      version: textIn(info, 'redis_version'),
      // One is ours.
      connections: Math.max(0, numberIn(info, 'connected_clients') - 1),
      memoryBytes: Math.max(0, usedMemory(info)),
    }
  } catch {
    // A customer may end our connection, or keep the instance busy with a script.
    return undefined
  }
}
