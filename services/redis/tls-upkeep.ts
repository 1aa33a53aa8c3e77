import type { AddonId } from '#lib/ids.ts'
import { allotPort, findInstance, withInstanceLock, type InstanceRow } from './instances-db.ts'
import { instanceOf, type InstancesContext } from './instances.ts'
import { holdToPlan } from './live-plan.ts'
import { chooseFreePort } from './ports.ts'

export type TlsUpkeep = ReturnType<typeof createTlsUpkeep>

/** Gives an instance the port for TLS, where instances speak it; one that it has stays. */
export async function allotTlsPort(
  { pool, tls }: InstancesContext,
  addonId: AddonId,
): Promise<void> {
  if (!tls) return
  await allotPort(pool, addonId, 'tls_port', (taken) => chooseFreePort(tls.ports, taken))
}

/**
 * Lets running instances speak TLS with the certificate as it is now, without a restart and
 * without ending a connection: those that were started before there was one, or with another.
 */
export function createTlsUpkeep(context: InstancesContext) {
  /** What each was last seen to speak with: none of it is known after a start. */
  const speaking = new Map<AddonId, string>()
  return {
    /** Of an instance that runs and has a connection for us. */
    async keep({ addonId }: InstanceRow): Promise<void> {
      const pem = context.tls?.certificate.pem()
      if (pem === undefined || speaking.get(addonId) === pem) return
      await withInstanceLock(context.locks, addonId, async () => {
        await allotTlsPort(context, addonId)
        // As it is now: its removal may have begun since it was listed.
        const row = await findInstance(context.pool, addonId)
        if (row?.state !== 'ready' || row.removalWanted) return
        await holdToPlan(context.host, instanceOf(context, row), { mayRestart: false })
      })
      speaking.set(addonId, pem)
    },
    /** Forgets those that are not listed any more. */
    prune(known: ReadonlySet<AddonId>): void {
      for (const addonId of speaking.keys()) if (!known.has(addonId)) speaking.delete(addonId)
    },
  }
}
