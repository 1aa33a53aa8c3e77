import { notFound } from '#lib/errors.ts'
import { newId } from '#lib/ids.ts'
import { transaction, type Pool, type Queryable } from '#lib/postgres.ts'
import { findAddonService, putAddonService, type AddonServiceRow } from './addon-services-db.ts'
import type { ServiceDeclaration } from './manifest.ts'
import { putPlan, retireOtherPlans } from './plans-db.ts'

/**
 * Writes what the manifests declare. Services and plans keep their ids over restarts; a plan that
 * is no longer declared is retired; a service whose manifest is gone stays for its add-ons' sake.
 */
export async function declareServices(
  pool: Pool,
  declarations: ServiceDeclaration[],
): Promise<void> {
  await transaction(pool, async (tx) => {
    for (const { plans, ...service } of declarations) {
      const addonServiceId = await putAddonService(tx, { id: newId(), ...service })
      for (const plan of plans) await putPlan(tx, { id: newId(), addonServiceId, ...plan })
      await retireOtherPlans(
        tx,
        addonServiceId,
        plans.map(({ slug }) => slug),
      )
    }
  })
}

/** By slug or uuid, or NOT_FOUND. */
export async function getAddonService(db: Queryable, slugOrId: string): Promise<AddonServiceRow> {
  const service = await findAddonService(db, slugOrId)
  if (!service) throw notFound('add_on_service', "Couldn't find that add-on service.")
  return service
}
