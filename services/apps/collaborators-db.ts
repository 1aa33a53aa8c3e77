import type { AccountId, AppId, CollaboratorId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'
import type { Account } from './accounts-db.ts'
import type { Role } from './apps-db.ts'

export type Collaborator = {
  id: CollaboratorId
  role: Role
  createdAt: Date
  updatedAt: Date
  account: Account
}

type CollaboratorRow = Omit<Collaborator, 'account'> & {
  accountId: AccountId
  email: string
  accountCreatedAt: Date
  accountUpdatedAt: Date
}

/** The owner first, then by email. */
export async function findCollaborators(db: Queryable, appId: AppId): Promise<Collaborator[]> {
  const { rows } = await db.query<CollaboratorRow>(
    `select c.id, c.role, c.created_at as "createdAt", c.updated_at as "updatedAt",
       a.id as "accountId", a.email,
       a.created_at as "accountCreatedAt", a.updated_at as "accountUpdatedAt"
     from collaborators c join accounts a on a.id = c.account_id
     where c.app_id = $1 order by c.role = 'owner' desc, a.email collate "C"`,
    [appId],
  )
  return rows.map(({ accountId, email, accountCreatedAt, accountUpdatedAt, ...row }) => ({
    ...row,
    account: { id: accountId, email, createdAt: accountCreatedAt, updatedAt: accountUpdatedAt },
  }))
}

export async function insertCollaborator(
  tx: Transaction,
  row: {
    id: CollaboratorId
    appId: AppId
    accountId: AccountId
    role: Role
    createdAt: Date
  },
): Promise<void> {
  await tx.query(
    `insert into collaborators (id, app_id, account_id, role, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $5)`,
    [row.id, row.appId, row.accountId, row.role, row.createdAt],
  )
}

export async function deleteCollaborator(tx: Transaction, id: CollaboratorId): Promise<void> {
  await tx.query('delete from collaborators where id = $1', [id])
}

/** Apps that the account owns or collaborates on. */
export async function countMemberships(tx: Transaction, accountId: AccountId): Promise<number> {
  const { rows } = await tx.query<{ count: string }>(
    'select count(*) from collaborators where account_id = $1',
    [accountId],
  )
  return Number(rows[0]?.count ?? 0)
}
