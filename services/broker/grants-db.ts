import type { AddonId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'

export type GrantKind = 'code' | 'access' | 'refresh'

export async function insertGrant(
  db: Queryable,
  grant: { secretHash: string; addonId: AddonId; kind: GrantKind; seconds: number | null },
): Promise<void> {
  await db.query(
    `insert into grants (secret_hash, addon_id, kind, expires_at)
     values ($1, $2, $3, now() + make_interval(secs => $4))`,
    [grant.secretHash, grant.addonId, grant.kind, grant.seconds],
  )
}

/** Of which add-on that is a grant that has not ended; of the named service only, if any. */
export async function findGrant(
  db: Queryable,
  grant: { secretHash: string; kind: GrantKind; addonServiceId?: string },
): Promise<AddonId | undefined> {
  const { rows } = await db.query<{ addonId: AddonId }>(
    `select addon_id as "addonId" from grants
     join addons on addons.id = addon_id join plans on plans.id = plan_id
     where secret_hash = $1 and kind = $2 and (expires_at is null or expires_at > now())
       and ($3::uuid is null or addon_service_id = $3)`,
    [grant.secretHash, grant.kind, grant.addonServiceId ?? null],
  )
  return rows[0]?.addonId
}

/** False when somebody else has just used it. */
export async function deleteGrant(tx: Transaction, secretHash: string): Promise<boolean> {
  const { rowCount } = await tx.query('delete from grants where secret_hash = $1', [secretHash])
  return rowCount === 1
}

/** Ends all but the newest access tokens of an add-on. */
export async function endOldAccessTokens(
  db: Queryable,
  addonId: AddonId,
  keep: number,
): Promise<void> {
  await db.query(
    `delete from grants where secret_hash in (
       select secret_hash from grants where addon_id = $1 and kind = 'access'
       order by created_at desc offset $2)`,
    [addonId, keep],
  )
}

export async function endAccessTokensOfService(
  tx: Transaction,
  addonServiceId: string,
): Promise<void> {
  await tx.query(
    `delete from grants using addons, plans
     where kind = 'access' and addons.id = addon_id and plans.id = plan_id
       and addon_service_id = $1`,
    [addonServiceId],
  )
}

/** Deletes what has ended. */
export async function deleteExpiredGrants(db: Queryable, limit: number): Promise<void> {
  await db.query(
    `delete from grants where secret_hash in (
       select secret_hash from grants where expires_at < now() limit $1 for update skip locked)`,
    [limit],
  )
}
