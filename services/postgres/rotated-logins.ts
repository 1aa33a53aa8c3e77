import type { DatabaseRow } from './databases-db.ts'
import { openPassword, type DatabasesContext } from './databases.ts'
import { listNamedCredentials } from './named-credentials-db.ts'
import { namedRoleOf } from './named-credentials.ts'

/** A login that is being rotated: the database's own, or a named one. */
export type RotatedLogin = {
  /** The role that has the rights, and its new password. */
  owner: { name: string; password: string }
  /** The second role, which has the name and the password from before. */
  former: string
  /** The role is the owner of the database. */
  isDatabaseOwner: boolean
}

/** Those of a database whose former credentials are good, as the table says. */
export async function rotatedLogins(
  context: DatabasesContext,
  row: DatabaseRow,
): Promise<RotatedLogin[]> {
  const { roleName, formerRoleName } = row
  const own = formerRoleName !== null && {
    owner: { name: roleName, password: openPassword(context.secrets, row) },
    ...{ former: formerRoleName, isDatabaseOwner: true },
  }
  const named = (await listNamedCredentials(context.pool, row.addonId)).flatMap((credential) => {
    const { formerRoleName: former } = credential
    if (former === null) return []
    return [{ owner: namedRoleOf(context, row, credential), former, isDatabaseOwner: false }]
  })
  return own ? [own, ...named] : named
}
