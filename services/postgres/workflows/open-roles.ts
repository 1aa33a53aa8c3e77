import type { DatabaseRow } from '../databases-db.ts'
import { openPassword, planOf, type DatabasesContext } from '../databases.ts'
import { openNamedRoles } from '../named-credentials.ts'
import { ensureRole, type AdminSession } from '../server-admin.ts'
import { holdToSize } from '../size-check.ts'

/**
 * Lets the customer into a database that was made anew, by the owner's and the named credentials, as
 * the table has them and within the plan.
 */
export async function openRoles(
  context: DatabasesContext,
  session: AdminSession,
  row: DatabaseRow,
): Promise<void> {
  const password = openPassword(context.secrets, row)
  const plan = planOf(context.plans, row)
  await ensureRole(context.server, session, { name: row.roleName, password, plan })
  await openNamedRoles(context, session, row)
  await holdToSize(context, session, row)
}
