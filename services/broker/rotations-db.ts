import { must } from '#lib/assert.ts'
import type { AddonId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'

export type RotationRow = {
  /** "default", one that the customer has named, or, empty, all. */
  credential: string
  forced: boolean
  /** The end of the overlap; null until the new credentials are published. */
  formerUntil: Date | null
  /** Until then; 0 when it is over, or has not begun. */
  overlapLeftSeconds: number
  failure: string
  failureCode: number
}

/** A rotation that begins, in the place of the one before. */
export async function putRotation(
  tx: Transaction,
  id: AddonId,
  { credential, forced }: Pick<RotationRow, 'credential' | 'forced'>,
): Promise<void> {
  await tx.query(
    `insert into rotations (addon_id, credential, forced) values ($1, $2, $3)
     on conflict (addon_id) do update set credential = $2, forced = $3, former_until = null,
       failure = '', failure_code = 0, created_at = now()`,
    [id, credential, forced],
  )
}

/** The add-on's last rotation. */
export async function mustFindRotation(db: Queryable, addonId: string): Promise<RotationRow> {
  const { rows } = await db.query<RotationRow>(
    `select credential, forced, former_until as "formerUntil", failure, failure_code as "failureCode",
       greatest(0, coalesce(extract(epoch from former_until - now()), 0))::float8
         as "overlapLeftSeconds"
     from rotations where addon_id = $1`,
    [addonId],
  )
  return must(rows[0], 'rotation')
}

/** Lets the overlap begin; one that has begun goes on as it is. */
export async function setFormerUntil(
  tx: Transaction,
  addonId: AddonId,
  overlapSeconds: number,
): Promise<void> {
  await tx.query(
    `update rotations set former_until = now() + make_interval(secs => $2)
     where addon_id = $1 and former_until is null`,
    [addonId, overlapSeconds],
  )
}

export async function setRotationFailure(
  tx: Transaction,
  addonId: AddonId,
  failure: { code: number; message: string },
): Promise<void> {
  await tx.query('update rotations set failure = $2, failure_code = $3 where addon_id = $1', [
    addonId,
    failure.message,
    failure.code,
  ])
}
