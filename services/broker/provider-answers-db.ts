import type { AddonId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'
import type { AddonRow } from './addons-db.ts'

// What an add-on's row knows of its provider, and of the work that it is at.

/** What the provider told so far. An id that it has told before stays when it tells none. */
export async function saveProviderAnswer(
  tx: Transaction,
  id: AddonId,
  answer: Pick<AddonRow, 'providerId' | 'provisionMessage' | 'answered202' | 'operation'>,
): Promise<void> {
  await tx.query(
    `update addons set provider_id = case when $2 = '' then provider_id else $2 end,
       provision_message = $3, answered_202 = $4, operation = $5, updated_at = now()
     where id = $1`,
    [id, answer.providerId, answer.provisionMessage, answer.answered202, answer.operation],
  )
}

/** Notes whether the provider may have something of it. */
export async function setMaybeMade(db: Queryable, id: AddonId, maybeMade: boolean): Promise<void> {
  await db.query('update addons set maybe_made = $2 where id = $1', [id, maybeMade])
}

export async function setOperation(
  tx: Transaction,
  id: AddonId,
  operation: string | null,
): Promise<void> {
  await tx.query('update addons set operation = $2 where id = $1', [id, operation])
}

export async function setDashboardUrl(
  tx: Transaction,
  id: AddonId,
  sealedDashboardUrl: string,
): Promise<void> {
  await tx.query('update addons set sealed_dashboard_url = $2 where id = $1', [
    id,
    sealedDashboardUrl,
  ])
}

export async function setProviderId(
  tx: Transaction,
  id: AddonId,
  providerId: string,
): Promise<void> {
  await tx.query('update addons set provider_id = $2, updated_at = now() where id = $1', [
    id,
    providerId,
  ])
}
