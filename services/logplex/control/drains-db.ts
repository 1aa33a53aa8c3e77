import type { AddonId, AppId, DrainId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'

/** Of an app's drains those of a kind are listed and counted apart. */
export type DrainKind = 'log' | 'telemetry'

export type DrainRow = {
  id: DrainId
  appId: AppId
  token: string
  sealedUrl: string
  addonId: AddonId | undefined
  /** Of a telemetry drain, which has one; undefined of all others. */
  sealedExporter: string | undefined
  firstLine: number
  createdAt: Date
  updatedAt: Date
}

export type Row = {
  id: DrainId
  app_id: AppId
  token: string
  sealed_url: string
  addon_id: AddonId | null
  sealed_exporter: string | null
  first_line: string
  created_at: Date
  updated_at: Date
}

export const drainColumns =
  'id, app_id, token, sealed_url, addon_id, sealed_exporter, first_line, created_at, updated_at'

export async function countDrains(db: Queryable, appId: AppId, kind: DrainKind): Promise<number> {
  const { rows } = await db.query<{ count: string }>(
    'select count(*) as count from drains where app_id = $1 and kind = $2',
    [appId, kind],
  )
  return Number(rows[0]?.count)
}

/** Throws a unique violation of drains_url_once when a person has added that to the app. */
export async function insertDrain(
  tx: Transaction,
  drain: {
    id: DrainId
    appId: AppId
    token: string
    sealedUrl: string
    urlSha256: Buffer
    addonId?: AddonId
    /** Makes it a telemetry drain. */
    sealedExporter?: string | undefined
    firstLine: number
  },
): Promise<DrainRow> {
  const { rows } = await tx.query<Row>(
    `insert into drains (id, app_id, token, sealed_url, url_sha256, addon_id, first_line,
       sealed_exporter, kind)
     values ($1, $2, $3, $4, $5, $6, $7, $8, case when $8::text is null then 'log' else 'telemetry' end)
     returning ${drainColumns}`,
    [
      ...[drain.id, drain.appId, drain.token, drain.sealedUrl, drain.urlSha256],
      ...[drain.addonId ?? null, drain.firstLine, drain.sealedExporter ?? null],
    ],
  )
  const [row] = rows
  if (!row) throw new Error('an inserted drain was not returned')
  return drainRow(row)
}

/** All that is to be run for an app, or for all apps: drains of either kind that have a url. */
export async function listRunnableDrains(db: Queryable, appId?: AppId): Promise<DrainRow[]> {
  const { rows } = await db.query<Row>(
    `select ${drainColumns} from drains
     where ($1::uuid is null or app_id = $1) and sealed_url is not null`,
    [appId ?? null],
  )
  return rows.map(drainRow)
}

/** The log drains of an app in the order in which they were added; none without a url. */
export async function listDrains(db: Queryable, appId: AppId): Promise<DrainRow[]> {
  const { rows } = await db.query<Row>(
    `select ${drainColumns} from drains
     where app_id = $1 and sealed_url is not null and kind = 'log' order by created_at, id`,
    [appId],
  )
  return rows.map(drainRow)
}

/** The app's log drain with that id, token or url (by its hash); of several urls a person's. */
export async function findDrain(
  db: Queryable,
  appId: AppId,
  by: { text: string; urlSha256: Buffer },
): Promise<DrainRow | undefined> {
  const { rows } = await db.query<Row>(
    `select ${drainColumns} from drains
     where app_id = $1 and sealed_url is not null and kind = 'log'
       and (id::text = lower($2) or token = $2 or url_sha256 = $3)
     order by addon_id nulls first limit 1`,
    [appId, by.text, by.urlSha256],
  )
  return rows[0] && drainRow(rows[0])
}

/** The drain of that url, or of that exporter, that a person has added to the app. */
export async function findOwnDrain(
  db: Queryable,
  appId: AppId,
  urlSha256: Buffer,
): Promise<DrainRow | undefined> {
  const { rows } = await db.query<Row>(
    `select ${drainColumns} from drains where app_id = $1 and url_sha256 = $2 and addon_id is null`,
    [appId, urlSha256],
  )
  return rows[0] && drainRow(rows[0])
}

export async function listDrainsOfAddon(db: Queryable, addonId: AddonId): Promise<DrainRow[]> {
  const { rows } = await db.query<Row>(
    `select ${drainColumns} from drains where addon_id = $1 order by created_at, id`,
    [addonId],
  )
  return rows.map(drainRow)
}

/** The add-on's drain of that token. */
export async function findAddonDrain(
  db: Queryable,
  { addonId, token }: { addonId: AddonId; token: string },
): Promise<DrainRow | undefined> {
  const { rows } = await db.query<Row>(
    `select ${drainColumns} from drains where addon_id = $1 and token = $2`,
    [addonId, token],
  )
  return rows[0] && drainRow(rows[0])
}

/** Answers what it is then; undefined when it has been deleted. */
export async function setDrainUrl(
  tx: Transaction,
  id: DrainId,
  { sealedUrl, urlSha256 }: { sealedUrl: string; urlSha256: Buffer },
): Promise<DrainRow | undefined> {
  const { rows } = await tx.query<Row>(
    `update drains set sealed_url = $2, url_sha256 = $3, updated_at = now()
     where id = $1 returning ${drainColumns}`,
    [id, sealedUrl, urlSha256],
  )
  return rows[0] && drainRow(rows[0])
}

/** Until its transaction ends, nobody else makes or removes anything under these keys. */
export async function lockRemovable(tx: Transaction, keys: string[]): Promise<void> {
  // In one order, so that two never wait for each other.
  for (const key of keys.toSorted())
    await tx.query(`select pg_advisory_xact_lock(hashtextextended('removed_logs ' || $1, 0))`, [
      key,
    ])
}

/** Remembers for a day that what has that key is gone: an add-on's id, or a drain's token. */
export async function markRemoved(tx: Transaction, key: string): Promise<void> {
  await tx.query(`delete from removed_logs where removed_at < now() - interval '1 day'`)
  await tx.query(
    `insert into removed_logs (key) values ($1)
     on conflict (key) do update set removed_at = now()`,
    [key],
  )
}

export async function isRemoved(tx: Transaction, keys: string[]): Promise<boolean> {
  const { rowCount } = await tx.query('select from removed_logs where key = any($1)', [keys])
  return rowCount !== 0
}

/** An add-on's drain of that token. Answers the app that it was of, when there was one. */
export async function deleteAddonDrain(db: Queryable, token: string): Promise<AppId | undefined> {
  const { rows } = await db.query<{ app_id: AppId }>(
    'delete from drains where token = $1 and addon_id is not null returning app_id',
    [token],
  )
  return rows[0]?.app_id
}

/** Answers the apps that they were of. */
export async function deleteDrainsOfAddon(db: Queryable, addonId: AddonId): Promise<AppId[]> {
  const { rows } = await db.query<{ app_id: AppId }>(
    'delete from drains where addon_id = $1 returning app_id',
    [addonId],
  )
  return rows.map(({ app_id: appId }) => appId)
}

/** @returns false when somebody else has deleted it already. */
export async function deleteDrain(db: Queryable, id: DrainId): Promise<boolean> {
  const { rowCount } = await db.query('delete from drains where id = $1', [id])
  return rowCount === 1
}

export function drainRow(row: Row): DrainRow {
  return {
    id: row.id,
    appId: row.app_id,
    token: row.token,
    sealedUrl: row.sealed_url,
    addonId: row.addon_id ?? undefined,
    sealedExporter: row.sealed_exporter ?? undefined,
    firstLine: Number(row.first_line),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
