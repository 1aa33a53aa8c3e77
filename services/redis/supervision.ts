import { setTimeout as delay } from 'node:timers/promises'
import type { AddonId } from '#lib/ids.ts'
import type { Log } from '#lib/log.ts'
import { transaction } from '#lib/postgres.ts'
import { ensureRunning, probeInstance, stopInstance, type Instance } from './instance-process.ts'
import {
  findInstance,
  listReadyInstances,
  listStandingInstances,
  trySupervisionLock,
  withInstanceLock,
  type InstanceRow,
} from './instances-db.ts'
import { instanceOf, type InstancesContext } from './instances.ts'
import { instancesWorkedOnMax } from './limits.ts'
import { createRetries, type Retries } from './retries.ts'
import { createTlsUpkeep, type TlsUpkeep } from './tls-upkeep.ts'

export type Supervision = {
  /**
   * Looks at every instance that should run and starts again those that do not. Takes no input
   * and may run at any time; of several processes one does it.
   */
  look: () => Promise<void>
}

export function createSupervision(context: InstancesContext, log: Log): Supervision {
  const retries = createRetries()
  const upkeep = createTlsUpkeep(context, log)
  return {
    look: async () => {
      await reloadCertificate(context, log)
      await transaction(context.pool, async (tx) => {
        if (!(await trySupervisionLock(tx))) return
        const rows = await listReadyInstances(tx)
        const known = new Set(rows.map(({ addonId }) => addonId))
        retries.prune(known)
        upkeep.prune(known)
        await eachOf(rows, (row) => keepRunning({ context, retries, upkeep, log }, row))
      })
    },
  }
}

/** What speaks TLS goes on with the certificate that it has. */
async function reloadCertificate({ tls }: InstancesContext, log: Log): Promise<void> {
  await tls?.certificate
    .reload()
    .catch((error: unknown) => log.error({ err: error, alert: true }, 'certificate is not renewed'))
}

async function keepRunning(
  options: { context: InstancesContext; retries: Retries; upkeep: TlsUpkeep; log: Log },
  row: InstanceRow,
): Promise<void> {
  const { context, retries, upkeep, log } = options
  const { addonId } = row
  if (!retries.isDue(addonId)) return
  try {
    const found = await probeInstance(context.host, instanceOf(context, row))
    if (found === 'ours') await upkeep.keep(row)
    // A full one has no connection for us: its turn comes when it has.
    else if (found !== 'full') await restart(context, addonId, log)
    retries.succeeded(addonId)
  } catch (error) {
    const tries = retries.failed(addonId)
    log.error({ err: error, alert: true, addon: addonId, tries }, 'instance does not run')
  }
}

async function restart(context: InstancesContext, addonId: AddonId, log: Log): Promise<void> {
  await withInstanceLock(context.locks, addonId, async () => {
    // As it is now: its removal may have begun since it was listed.
    const row = await findInstance(context.pool, addonId)
    if (row?.state !== 'ready' || row.removalWanted) return
    const instance = instanceOf(context, row)
    const result = await ensureRunning(context.host, instance)
    // Customers know this port: another one would be no help to them.
    if (result === 'port-taken') throw new Error(`somebody else has ${portsOf(instance)}`)
    log.info({ addon: addonId, port: instance.port, result }, 'instance runs again')
  })
}

/** How a message names them. */
function portsOf({ port, tls }: Instance): string {
  return tls ? `its port ${port}, or ${tls.port} for TLS` : `its port ${port}`
}

/** Stops every instance, its data written out; the next start of the provider starts them again. */
export async function stopAllInstances({ pool, host }: InstancesContext, log: Log): Promise<void> {
  await eachOf(await listStandingInstances(pool), async ({ addonId }) => {
    try {
      await stopInstance(host, addonId)
    } catch (error) {
      log.error({ err: error, addon: addonId }, 'instance could not be stopped')
    }
  })
}

/** Works on some instances at a time until all had their turn. */
async function eachOf(
  rows: InstanceRow[],
  work: (row: InstanceRow) => Promise<void>,
): Promise<void> {
  const queue = rows.values()
  const worker = async (): Promise<void> => {
    for (const row of queue) await work(row)
  }
  await Promise.all(Array.from({ length: instancesWorkedOnMax }, worker))
}

/** Returns when the work has ended or the time is over; the work then goes on. */
export async function atMost(work: Promise<void>, ms: number, log: Log): Promise<void> {
  const abort = new AbortController()
  const late = delay(ms, undefined, { signal: abort.signal }).catch(() => undefined)
  const ended = work.catch((error: unknown) => log.warn({ err: error }, 'first look failed'))
  await Promise.race([ended, late])
  abort.abort()
}
