import type { AddonId } from '#lib/ids.ts'
import type { Queryable } from '#lib/postgres.ts'

/** What a list tells of an add-on; `plan` is the slug. */
export type AppInfoEntry = { id: AddonId; name: string; providerId: string; plan: string }

/** Provisioned add-ons of the service in the order of their ids, those after `afterAddonId`. */
export async function listAppInfoEntries(
  db: Queryable,
  page: { addonServiceId: string; afterAddonId: AddonId | undefined; limit: number },
): Promise<AppInfoEntry[]> {
  const { rows } = await db.query<AppInfoEntry>(
    `select a.id, a.name, a.provider_id as "providerId", p.slug as plan
     from addons a join plans p on p.id = a.plan_id
     where p.addon_service_id = $1 and a.state = 'provisioned'
       and ($2::uuid is null or a.id > $2)
     order by a.id limit $3`,
    [page.addonServiceId, page.afterAddonId ?? null, page.limit],
  )
  return rows
}

/** The service's add-ons with an id from `lowest` to `highest` that are not gone. */
export async function listAddonIdsBetween(
  db: Queryable,
  range: { addonServiceId: string; lowest: string; highest: string },
): Promise<AddonId[]> {
  const { rows } = await db.query<{ id: AddonId }>(
    `select a.id from addons a join plans p on p.id = a.plan_id
     where p.addon_service_id = $1 and a.id between $2 and $3 and a.state <> 'deprovisioned'`,
    [range.addonServiceId, range.lowest, range.highest],
  )
  return rows.map(({ id }) => id)
}
