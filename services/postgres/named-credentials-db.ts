import type { AddonId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'

export type NamedCredentialRow = {
  addonId: AddonId
  /** As its customer calls it: "reports". */
  name: string
  roleName: string
  /** Sealed. */
  password: string
  /** Who else may log in until the credential before the last rotation ends; null: nobody. */
  formerRoleName: string | null
  /** Sealed. */
  formerPassword: string | null
  /** "creating" and "removing": the add-on server may have its role, or not. */
  state: 'creating' | 'active' | 'removing'
}

/** Of a database, by name. */
export async function listNamedCredentials(
  db: Queryable,
  addonId: AddonId,
): Promise<NamedCredentialRow[]> {
  const { rows } = await db.query<NamedCredentialRow>(
    `select addon_id as "addonId", name, role_name as "roleName", password, state,
       former_role_name as "formerRoleName", former_password as "formerPassword"
     from named_credentials where addon_id = $1 order by name`,
    [addonId],
  )
  return rows
}

/** Of all databases together; one whose former role is good counts twice. */
export async function countNamedCredentials(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    'select (count(*) + count(former_role_name))::int as count from named_credentials',
  )
  return rows[0]?.count ?? 0
}

export async function insertNamedCredential(
  tx: Transaction,
  row: Pick<NamedCredentialRow, 'addonId' | 'name' | 'roleName' | 'password'>,
): Promise<void> {
  await tx.query(
    `insert into named_credentials (addon_id, name, role_name, password) values ($1, $2, $3, $4)`,
    [row.addonId, row.name, row.roleName, row.password],
  )
}

/** The login that it is to have from now on, beside the one that it has. */
export async function insertNamedLogin(
  tx: Transaction,
  row: Pick<NamedCredentialRow, 'addonId' | 'name' | 'roleName' | 'password'>,
): Promise<void> {
  await tx.query(
    `update named_credentials set former_role_name = role_name, former_password = password,
       role_name = $3, password = $4
     where addon_id = $1 and name = $2`,
    [row.addonId, row.name, row.roleName, row.password],
  )
}

export async function deleteFormerLogins(tx: Transaction, addonId: AddonId): Promise<void> {
  await tx.query(
    `update named_credentials set former_role_name = null, former_password = null
     where addon_id = $1`,
    [addonId],
  )
}

export async function markRemoving(tx: Transaction, addonId: AddonId, name: string): Promise<void> {
  await tx.query(
    `update named_credentials set state = 'removing' where addon_id = $1 and name = $2`,
    [addonId, name],
  )
}

/** The add-on server has the roles of a database that the table says, and no others. */
export async function settleNamedCredentials(tx: Transaction, addonId: AddonId): Promise<void> {
  await tx.query(`delete from named_credentials where addon_id = $1 and state = 'removing'`, [
    addonId,
  ])
  await tx.query(`update named_credentials set state = 'active' where addon_id = $1`, [addonId])
}

export async function deleteNamedCredentials(tx: Transaction, addonId: AddonId): Promise<void> {
  await tx.query('delete from named_credentials where addon_id = $1', [addonId])
}
