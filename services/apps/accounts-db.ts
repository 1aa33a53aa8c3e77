import type { AccountId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'

export type Account = { id: AccountId; email: string; createdAt: Date; updatedAt: Date }
export type AccountWithPassword = Account & { passwordHash: string }

const columns = `id, email, created_at as "createdAt", updated_at as "updatedAt"`

export async function findAccount(db: Queryable, id: AccountId): Promise<Account | undefined> {
  const { rows } = await db.query<Account>(`select ${columns} from accounts where id = $1`, [id])
  return rows[0]
}

/** `email` in lower case. */
export async function findAccountByEmail(
  db: Queryable,
  email: string,
): Promise<AccountWithPassword | undefined> {
  const { rows } = await db.query<AccountWithPassword>(
    `select ${columns}, password_hash as "passwordHash" from accounts where email = $1`,
    [email],
  )
  return rows[0]
}

/** Locks the account until the transaction ends: what is counted per account stays true. */
export async function lockAccount(tx: Transaction, id: AccountId): Promise<Account | undefined> {
  const { rows } = await tx.query<Account>(
    `select ${columns} from accounts where id = $1 for no key update`,
    [id],
  )
  return rows[0]
}

/** Makes the account, or gives the one with that email the new password hash. */
export async function upsertAccount(db: Queryable, account: AccountWithPassword): Promise<Account> {
  const { rows } = await db.query<Account>(
    `insert into accounts (id, email, password_hash, created_at, updated_at)
     values ($1, $2, $3, $4, $5)
     on conflict (email) do update
       set password_hash = excluded.password_hash, updated_at = excluded.updated_at
     returning ${columns}`,
    [account.id, account.email, account.passwordHash, account.createdAt, account.updatedAt],
  )
  return rows[0] ?? account
}
