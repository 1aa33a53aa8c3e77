import { createHash } from 'node:crypto'
import type { AppId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'

export type TokenRow = { id: string; appId: AppId; name: string; sealedToken: string }

type Row = { id: string; app_id: AppId; name: string; sealed_token: string }

const columns = 'id, app_id, name, sealed_token'

/** What a token or a url is found by, without being readable. */
export function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** Makes the app's channel if need be and locks it; false when the app has been destroyed. */
export async function lockChannel(tx: Transaction, appId: AppId): Promise<boolean> {
  await tx.query('insert into channels (app_id) values ($1) on conflict do nothing', [appId])
  const { rows } = await tx.query<{ destroyed_at: Date | null }>(
    'select destroyed_at from channels where app_id = $1 for update',
    [appId],
  )
  return rows[0]?.destroyed_at === null
}

/** Marks the channel as destroyed and forgets its tokens and drains. */
export async function destroyChannel(tx: Transaction, appId: AppId): Promise<void> {
  await tx.query(
    `insert into channels (app_id, destroyed_at) values ($1, now())
     on conflict (app_id) do update set destroyed_at = coalesce(channels.destroyed_at, now())`,
    [appId],
  )
  await tx.query('delete from tokens where app_id = $1', [appId])
  await tx.query('delete from drains where app_id = $1', [appId])
}

export async function findToken(
  db: Queryable,
  appId: AppId,
  name: string,
): Promise<TokenRow | undefined> {
  const { rows } = await db.query<Row>(
    `select ${columns} from tokens where app_id = $1 and name = $2`,
    [appId, name],
  )
  return rows[0] && tokenRow(rows[0])
}

export async function findTokenByText(db: Queryable, token: string): Promise<TokenRow | undefined> {
  const { rows } = await db.query<Row>(`select ${columns} from tokens where token_sha256 = $1`, [
    sha256(token),
  ])
  return rows[0] && tokenRow(rows[0])
}

export async function insertToken(
  tx: Transaction,
  row: TokenRow & { token: string },
): Promise<void> {
  await tx.query(
    `insert into tokens (id, app_id, name, sealed_token, token_sha256)
     values ($1, $2, $3, $4, $5)`,
    [row.id, row.appId, row.name, row.sealedToken, sha256(row.token)],
  )
}

/** The tokens of an app, or of all, by name. */
export async function listTokens(db: Queryable, appId?: AppId): Promise<TokenRow[]> {
  const { rows } = await db.query<Row>(
    `select ${columns} from tokens where $1::uuid is null or app_id = $1 order by name`,
    [appId ?? null],
  )
  return rows.map(tokenRow)
}

function tokenRow(row: Row): TokenRow {
  return { id: row.id, appId: row.app_id, name: row.name, sealedToken: row.sealed_token }
}
