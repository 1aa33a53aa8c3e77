import type { AccountId, AuthorizationId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'

export type Authorization = {
  id: AuthorizationId
  accountId: AccountId
  tokenHint: string
  description: string
  scope: string[]
  createdAt: Date
  expiresAt: Date | null
}

const columns = `id, account_id as "accountId", token_hint as "tokenHint", description, scope,
  created_at as "createdAt", expires_at as "expiresAt"`

export async function insertAuthorization(
  tx: Transaction,
  row: Authorization & { tokenHash: Buffer },
): Promise<void> {
  await tx.query(
    `insert into authorizations
       (id, account_id, token_hash, token_hint, description, scope, created_at, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      row.id,
      row.accountId,
      row.tokenHash,
      row.tokenHint,
      row.description,
      row.scope,
      row.createdAt,
      row.expiresAt,
    ],
  )
}

/** The authorization whose token has that hash, unless it has expired. */
export async function findAuthorizationByToken(
  db: Queryable,
  tokenHash: Buffer,
): Promise<Authorization | undefined> {
  const { rows } = await db.query<Authorization>(
    `select ${columns} from authorizations
     where token_hash = $1 and (expires_at is null or expires_at > now())`,
    [tokenHash],
  )
  return rows[0]
}

/** Those that have not expired, oldest first. */
export async function listAuthorizationsOf(
  db: Queryable,
  accountId: AccountId,
): Promise<Authorization[]> {
  const { rows } = await db.query<Authorization>(
    `select ${columns} from authorizations
     where account_id = $1 and (expires_at is null or expires_at > now())
     order by created_at, id`,
    [accountId],
  )
  return rows
}

/** Takes the account's expired ones away and answers how many are left. */
export async function pruneAuthorizations(tx: Transaction, accountId: AccountId): Promise<number> {
  await tx.query('delete from authorizations where account_id = $1 and expires_at <= now()', [
    accountId,
  ])
  const { rows } = await tx.query<{ count: string }>(
    'select count(*) from authorizations where account_id = $1',
    [accountId],
  )
  return Number(rows[0]?.count ?? 0)
}

export async function removeAuthorization(
  db: Queryable,
  row: { id: AuthorizationId; accountId: AccountId },
): Promise<Authorization | undefined> {
  const { rows } = await db.query<Authorization>(
    `delete from authorizations where id = $1 and account_id = $2 returning ${columns}`,
    [row.id, row.accountId],
  )
  return rows[0]
}
