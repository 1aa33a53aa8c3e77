import { conflict } from '#lib/errors.ts'
import type { AddonId, RotationId } from '#lib/ids.ts'
import { transaction, type Pool, type Transaction } from '#lib/postgres.ts'
import type { Resource, ResourceTable } from '#lib/provider/resource.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'

/** How a provider's resources get new credentials, and lose those before. */
export type CredentialRotation<R extends Resource> = {
  /**
   * Writes down new credentials for a resource, whose row is locked, beside those that it has, and
   * starts the workflow that brings them into force.
   */
  rotate: (tx: Transaction, resource: R, wanted: WantedRotation) => Promise<void>
  /**
   * Starts the workflow that ends the former credentials of a resource, whose row is locked.
   *
   * @param everySession also of sessions of which it cannot be told how they began.
   */
  revoke: (tx: Transaction, resource: R, everySession: boolean) => Promise<void>
  /** By kind of workflow: why no rotation can begin while such a one runs, for the customer. */
  refusedDuring?: Record<string, string>
}

export type WantedRotation = {
  /** Which are to be new: "default", one that the customer has named, or, empty, all. */
  credential: string
  /** The resource's from then on. */
  rotationIds: RotationId[]
}

type Parts<R extends Resource> = {
  pool: Pool
  table: Pick<ResourceTable<R>, 'lock'>
  rotation: CredentialRotation<R>
}

/** Rotations that a resource remembers, so that a request that comes late rotates nothing again. */
const rotationsKeptMax = 100

/**
 * Begins a rotation, unless it has begun before or the resource is just being moved: then it is to
 * be asked for again. Throws CONFLICT for one that another has followed, and during work that takes
 * too long to be waited for. Former credentials that nobody has asked to end are ended first: only
 * who has forgotten them asks for others.
 *
 * @returns false when the resource is unknown or on its way out.
 */
export async function requestRotation<R extends Resource>(
  { pool, table, rotation }: Parts<R>,
  addonId: AddonId,
  { rotationId, credential }: { rotationId: RotationId; credential: string },
): Promise<boolean> {
  return transaction(pool, async (tx) => {
    const resource = await table.lock(tx, addonId)
    if (!resource || resource.removalWanted) return false
    const known = resource.rotationIds.indexOf(rotationId)
    if (known > 0) throw conflict('Another rotation has followed this one.')
    if (known === 0 || resource.state !== 'ready') return true
    const running = await getRunningWorkflow(tx, addonId)
    const refusal = running && rotation.refusedDuring?.[running.kind]
    if (refusal !== undefined) throw conflict(refusal)
    if (running) return true
    const rotationIds = [rotationId, ...resource.rotationIds].slice(0, rotationsKeptMax)
    if (resource.formerValid) await rotation.revoke(tx, resource, false)
    else await rotation.rotate(tx, resource, { credential, rotationIds })
    return true
  })
}

/**
 * Begins to end the former credentials of that rotation. Of one that is unknown, or that another
 * has followed, there is nothing to end.
 *
 * @returns false when there is nothing that would be waited for.
 */
export async function requestRevocation<R extends Resource>(
  { pool, table, rotation }: Parts<R>,
  request: { addonId: AddonId; rotationId: RotationId; everySession: boolean },
): Promise<boolean> {
  const { addonId, rotationId, everySession } = request
  return transaction(pool, async (tx) => {
    const resource = await table.lock(tx, addonId)
    if (!resource || resource.removalWanted || resource.rotationIds[0] !== rotationId) return false
    if (await getRunningWorkflow(tx, addonId)) return true
    if (!resource.formerValid) return false
    await rotation.revoke(tx, resource, everySession)
    return true
  })
}
