import type { AddonId } from '#lib/ids.ts'
import type { Log } from '#lib/log.ts'
import { withConnection } from './instance-client.ts'
import { probeInstance, writeConf } from './instance-process.ts'
import { allotPort, findInstance, withInstanceLock, type InstanceRow } from './instances-db.ts'
import { instanceOf, type InstancesContext } from './instances.ts'
import { chooseFreePort } from './ports.ts'
import { adminUser, tlsDirectives } from './redis-conf.ts'
import { createRetries, type Retries } from './retries.ts'

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
export function createTlsUpkeep(context: InstancesContext, log: Log) {
  /** Of the newest certificate only; none of it is known after a start. */
  let upkeep: { pem: string; speaking: Set<AddonId>; retries: Retries } | undefined
  return {
    /**
     * Of an instance that runs and has a connection for us. It goes on as before when that fails:
     * it is tried again later, and reported once for each certificate.
     */
    async keep({ addonId }: InstanceRow): Promise<void> {
      const pem = context.tls?.certificate.pem()
      if (pem === undefined) return
      if (upkeep?.pem !== pem) upkeep = { pem, speaking: new Set(), retries: createRetries() }
      const { speaking, retries } = upkeep
      if (speaking.has(addonId) || !retries.isDue(addonId)) return
      try {
        if (await speakTls(context, addonId)) speaking.add(addonId)
        retries.succeeded(addonId)
      } catch (error) {
        const tries = retries.failed(addonId)
        const alert = tries === 1
        log.error(
          { err: error, alert, addon: addonId, tries },
          'instance speaks no TLS, or as before',
        )
      }
    },
    /** Forgets those that are not listed any more. */
    prune(known: ReadonlySet<AddonId>): void {
      upkeep?.retries.prune(known)
      for (const addonId of upkeep?.speaking ?? [])
        if (!known.has(addonId)) upkeep?.speaking.delete(addonId)
    },
  }
}

/** Nothing else of the instance is touched. False when it is not there to be told. */
async function speakTls(context: InstancesContext, addonId: AddonId): Promise<boolean> {
  return withInstanceLock(context.locks, addonId, async () => {
    await allotTlsPort(context, addonId)
    // As it is now: its removal may have begun since it was listed.
    const row = await findInstance(context.pool, addonId)
    if (row?.state !== 'ready' || row.removalWanted) return false
    const instance = instanceOf(context, row)
    const { tls } = instance
    if (!tls || (await probeInstance(context.host, instance)) !== 'ours') return false
    await writeConf(context.host, instance)
    await withConnection(instance, adminUser, (client) => client.configSet(tlsDirectives(tls)))
    return true
  })
}
