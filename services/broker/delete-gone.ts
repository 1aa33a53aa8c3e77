import type { Pool } from '#lib/postgres.ts'
import { deleteDeprovisionedAddons } from './addons-db.ts'
import { deleteRemovedAttachments } from './attachments-db.ts'
import { deleteExpiredGrants } from './grants-db.ts'
import { deletedAtATime, keepGoneDays } from './limits.ts'

/**
 * Deletes the rows of add-ons and attachments that have been gone for long, and grants that have
 * ended. The providers keep their own record that the add-on's id is not to come back.
 */
export async function deleteGone(pool: Pool): Promise<void> {
  const limits = { olderThanDays: keepGoneDays, limit: deletedAtATime }
  await deleteRemovedAttachments(pool, limits)
  await deleteDeprovisionedAddons(pool, limits)
  await deleteExpiredGrants(pool, deletedAtATime)
}
