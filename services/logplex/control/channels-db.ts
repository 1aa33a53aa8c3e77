import { createHash } from 'node:crypto'
import type { AddonId, AppId, AttachmentId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'

export type TokenRow = {
  id: string
  appId: AppId
  name: string
  sealedToken: string
  /** Absent: the app's own token. */
  holder?: TokenHolder
}

/** The add-on and the attachment that a token was made for. */
export type TokenHolder = { addonId: AddonId; attachmentId: AttachmentId }

type Row = {
  id: string
  app_id: AppId
  name: string
  sealed_token: string
  addon_id: AddonId | null
  attachment_id: AttachmentId | null
}

const columns = 'id, app_id, name, sealed_token, addon_id, attachment_id'

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

export type ChannelRow = { appId: AppId; number: number }

/** The channel of that app, or of that number; undefined when there is none, or no longer. */
export async function findChannel(
  db: Queryable,
  by: { appId: AppId } | { number: number },
): Promise<ChannelRow | undefined> {
  const { rows } = await db.query<{ app_id: AppId; number: string }>(
    `select app_id, number from channels
     where (app_id = $1 or number = $2) and destroyed_at is null`,
    ['appId' in by ? by.appId : null, 'number' in by ? by.number : null],
  )
  return rows[0] && { appId: rows[0].app_id, number: Number(rows[0].number) }
}

/** Marks the channel as destroyed and forgets its tokens, drains and switches. */
export async function destroyChannel(tx: Transaction, appId: AppId): Promise<void> {
  await tx.query(
    `insert into channels (app_id, destroyed_at) values ($1, now())
     on conflict (app_id) do update set destroyed_at = coalesce(channels.destroyed_at, now())`,
    [appId],
  )
  await tx.query('delete from tokens where app_id = $1', [appId])
  await tx.query('delete from drains where app_id = $1', [appId])
  await tx.query('delete from switches where scope = $1::text', [appId])
}

/** The app's own token of that name. */
export async function findToken(
  db: Queryable,
  appId: AppId,
  name: string,
): Promise<TokenRow | undefined> {
  const { rows } = await db.query<Row>(
    `select ${columns} from tokens where app_id = $1 and name = $2 and attachment_id is null`,
    [appId, name],
  )
  return rows[0] && tokenRow(rows[0])
}

export async function findAttachmentToken(
  db: Queryable,
  attachmentId: AttachmentId,
): Promise<TokenRow | undefined> {
  const { rows } = await db.query<Row>(`select ${columns} from tokens where attachment_id = $1`, [
    attachmentId,
  ])
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
    `insert into tokens (id, app_id, name, sealed_token, token_sha256, addon_id, attachment_id)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [
      ...[row.id, row.appId, row.name, row.sealedToken, sha256(row.token)],
      ...[row.holder?.addonId ?? null, row.holder?.attachmentId ?? null],
    ],
  )
}

export async function deleteToken(db: Queryable, id: string): Promise<void> {
  await db.query('delete from tokens where id = $1', [id])
}

/** Answers the app that it was for. */
export async function deleteAttachmentToken(
  db: Queryable,
  attachmentId: AttachmentId,
): Promise<AppId | undefined> {
  const { rows } = await db.query<{ app_id: AppId }>(
    'delete from tokens where attachment_id = $1 returning app_id',
    [attachmentId],
  )
  return rows[0]?.app_id
}

/** Answers the apps that they were for. */
export async function deleteTokensOfAddon(db: Queryable, addonId: AddonId): Promise<AppId[]> {
  const { rows } = await db.query<{ app_id: AppId }>(
    'delete from tokens where addon_id = $1 returning app_id',
    [addonId],
  )
  return rows.map(({ app_id: appId }) => appId)
}

/** The tokens of an app, or of all, by name; those of attachments among them. */
export async function listTokens(db: Queryable, appId?: AppId): Promise<TokenRow[]> {
  const { rows } = await db.query<Row>(
    `select ${columns} from tokens where $1::uuid is null or app_id = $1 order by name`,
    [appId ?? null],
  )
  return rows.map(tokenRow)
}

function tokenRow(row: Row): TokenRow {
  const { id, app_id: appId, name, sealed_token: sealedToken } = row
  const { addon_id: addonId, attachment_id: attachmentId } = row
  const holder = addonId && attachmentId ? { holder: { addonId, attachmentId } } : {}
  return { id, appId, name, sealedToken, ...holder }
}
