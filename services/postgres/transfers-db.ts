import type { AddonId, AppId, TransferId } from '#lib/ids.ts'
import { isUuid } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'
import type { Contents } from './contents.ts'
import { transferLogCharsMax, transferLogLinesMax, transfersListedMax } from './limits.ts'

type TransferKind = 'capture' | 'restore' | 'copy'
export type TransferOrigin = 'manual' | 'scheduled' | 'final'
export type TransferEnd = 'succeeded' | 'failed' | 'canceled'
type TransferLogLine = { at: string; message: string }

export type TransferRow = {
  id: TransferId
  appId: AppId
  num: number
  kind: TransferKind
  origin: TransferOrigin
  fromAddonId: AddonId | null
  fromName: string
  toAddonId: AddonId | null
  toName: string
  backupId: TransferId | null
  state: 'pending' | 'running' | TransferEnd
  cancelWanted: boolean
  /** Of its present step, written down before they begin. */
  runs: number
  sourceBytes: number
  processedBytes: number
  warnings: number
  logs: TransferLogLine[]
  /** In the backup folder; null before the dump, and when it is gone. */
  file: string | null
  scratch: string | null
  /** Since then it takes the database's place. */
  swappingAt: Date | null
  createdAt: Date
  startedAt: Date | null
  finishedAt: Date | null
  expiresAt: Date | null
}

const columns = `id, app_id as "appId", num, kind, origin, from_addon_id as "fromAddonId",
  from_name as "fromName", to_addon_id as "toAddonId", to_name as "toName",
  backup_id as "backupId", state, cancel_wanted as "cancelWanted", runs,
  source_bytes::float8 as "sourceBytes", processed_bytes::float8 as "processedBytes", warnings,
  logs, file, scratch, swapping_at as "swappingAt", created_at as "createdAt", started_at as "startedAt",
  finished_at as "finishedAt", expires_at as "expiresAt"`

export type NewTransfer = Pick<TransferRow, 'id' | 'appId' | 'kind'> & {
  origin?: TransferOrigin
  fromAddonId?: AddonId
  fromName: string
  toAddonId?: AddonId
  toName?: string
  backupId?: TransferId
  sourceBytes?: number
  requestedBy: string
}

/** Gives it the app's next number. Throws a unique violation while another one is under way. */
export async function insertTransfer(tx: Transaction, row: NewTransfer): Promise<TransferRow> {
  const { rows: counted } = await tx.query<{ last: number }>(
    `insert into transfer_counters (app_id, last) values ($1, 1)
     on conflict (app_id) do update set last = transfer_counters.last + 1 returning last`,
    [row.appId],
  )
  const { rows } = await tx.query<TransferRow>(
    `insert into transfers (id, app_id, num, kind, origin, from_addon_id, from_name, to_addon_id,
       to_name, backup_id, source_bytes, requested_by)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) returning ${columns}`,
    [
      ...[row.id, row.appId, counted[0]?.last, row.kind, row.origin ?? 'manual'],
      ...[row.fromAddonId ?? null, row.fromName, row.toAddonId ?? null, row.toName ?? ''],
      ...[row.backupId ?? null, Math.round(row.sourceBytes ?? 0), row.requestedBy],
    ],
  )
  return rows[0] as TransferRow
}

export async function findTransfer(
  db: Queryable,
  id: TransferId,
): Promise<TransferRow | undefined> {
  const { rows } = await db.query<TransferRow>(
    `select ${columns} from transfers where id = $1 and deleted_at is null`,
    [id],
  )
  return rows[0]
}

/** By its number within the app, or by its id; of any app when none is named. */
export async function findTransferOf(
  db: Queryable,
  { appId, transfer }: { appId: AppId | undefined; transfer: string },
): Promise<TransferRow | undefined> {
  const by = isUuid(transfer) ? 'id::text' : 'num::text'
  if (!isUuid(transfer) && appId === undefined) return undefined
  const { rows } = await db.query<TransferRow>(
    `select ${columns} from transfers
     where ${by} = $2 and ($1::uuid is null or app_id = $1) and deleted_at is null`,
    [appId ?? null, transfer.toLowerCase()],
  )
  return rows[0]
}

/** The newest restore or copy into a database, also one that has ended. */
export async function findLastTransferInto(
  db: Queryable,
  addonId: AddonId,
): Promise<TransferRow | undefined> {
  const { rows } = await db.query<TransferRow>(
    `select ${columns} from transfers where to_addon_id = $1
     order by finished_at is null desc, created_at desc limit 1`,
    [addonId],
  )
  return rows[0]
}

/** A backup of the database that is under way. */
export async function findUnfinishedCapture(
  db: Queryable,
  addonId: AddonId,
): Promise<TransferRow | undefined> {
  const { rows } = await db.query<TransferRow>(
    `select ${columns} from transfers
     where from_addon_id = $1 and kind = 'capture' and finished_at is null`,
    [addonId],
  )
  return rows[0]
}

/** The app's newest transfers, also those of databases that are gone. */
export async function listTransfers(db: Queryable, appId: AppId): Promise<TransferRow[]> {
  const { rows } = await db.query<TransferRow>(
    `select ${columns} from transfers where app_id = $1 and deleted_at is null
     order by num desc limit ${transfersListedMax}`,
    [appId],
  )
  return rows
}

export async function findContents(db: Queryable, id: TransferId): Promise<Contents | undefined> {
  const { rows } = await db.query<{ contents: Contents | null }>(
    'select contents from transfers where id = $1',
    [id],
  )
  return rows[0]?.contents ?? undefined
}

/** Writes down that another run of its step begins. */
export async function beginRun(db: Queryable, id: TransferId): Promise<void> {
  await db.query(
    `update transfers set state = 'running', started_at = coalesce(started_at, now()),
       runs = runs + 1
     where id = $1 and finished_at is null`,
    [id],
  )
}

/** Takes a run back that was ended from outside, and tells nothing of the transfer. */
export async function forgetRun(db: Queryable, id: TransferId): Promise<void> {
  await db.query('update transfers set runs = runs - 1 where id = $1 and runs > 0', [id])
}

/** Whether a transfer `t` has ended, or somebody wants its end, or that of its database. */
const unwanted = `(t.finished_at is not null or t.cancel_wanted or t.origin <> 'final' and exists (select from databases d
  where d.removal_wanted and (d.addon_id = t.to_addon_id or d.addon_id = t.from_addon_id
    and (t.kind = 'capture' or t.file is null))))`

export async function isUnwanted(db: Queryable, id: TransferId): Promise<boolean> {
  const { rows } = await db.query<{ unwanted: boolean }>(
    `select ${unwanted} as unwanted from transfers t where id = $1`,
    [id],
  )
  return rows[0]?.unwanted ?? true
}

/** Writes down how far it is. Answers whether somebody wants its end, or its database's. */
export async function saveProgress(
  db: Queryable,
  { id, processedBytes }: { id: TransferId; processedBytes: number },
): Promise<boolean> {
  const { rows } = await db.query<{ unwanted: boolean }>(
    `update transfers t set
       processed_bytes = case when finished_at is null then $2 else processed_bytes end
     where id = $1
     returning ${unwanted} as unwanted`,
    [id, Math.round(processedBytes)],
  )
  return rows[0]?.unwanted ?? true
}

/**
 * Keeps which database its first dump is of, by the server's number. Answers which one that was.
 */
export async function keepSource(
  db: Queryable,
  { id, oid }: { id: TransferId; oid: number },
): Promise<number | undefined> {
  const { rows } = await db.query<{ oid: number }>(
    `update transfers set source_oid = coalesce(source_oid, $2) where id = $1
     returning source_oid::float8 as oid`,
    [id, oid],
  )
  return rows[0]?.oid
}

/** The dump is done: the runs of the next step count from nothing. */
export async function saveDump(
  tx: Transaction,
  row: {
    id: TransferId
    file: string
    contents: Contents
    sourceBytes: number
    processedBytes: number
  },
): Promise<void> {
  await tx.query(
    `update transfers set file = $2, contents = $3, source_bytes = $4, processed_bytes = $5,
       runs = 0
     where id = $1`,
    [row.id, row.file, JSON.stringify(row.contents), row.sourceBytes, row.processedBytes],
  )
}

/** The database into which a transfer was restored, and which is what its dump saw. */
export async function saveChecked(
  tx: Transaction,
  { id, scratch, warnings }: { id: TransferId; scratch: string; warnings: number },
): Promise<void> {
  await tx.query(
    'update transfers set checked_at = now(), scratch = $2, warnings = $3 where id = $1',
    [id, scratch, warnings],
  )
}

/** A line for whoever reads the transfer; beyond transferLogLinesMax they are left out. */
export async function logTransfer(db: Queryable, id: TransferId, text: string): Promise<void> {
  const message = text.replaceAll('\0', '').slice(0, transferLogCharsMax)
  const line = { at: new Date().toISOString(), message }
  await db.query(
    `update transfers set logs = logs || $2::jsonb
     where id = $1 and jsonb_array_length(logs) < ${transferLogLinesMax}`,
    [id, JSON.stringify([line])],
  )
}

/** Ends it. One that has ended stays as it ended; false then. */
export async function finishTransfer(
  tx: Transaction,
  { id, state, keepDays }: { id: TransferId; state: TransferEnd; keepDays?: number },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update transfers set state = $2, finished_at = now(),
       expires_at = now() + make_interval(days => $3)
     where id = $1 and finished_at is null`,
    [id, state, keepDays ?? null],
  )
  return rowCount === 1
}

/** False for one that has ended, or that is taking the database's place: beginSwap. */
export async function wantCancel(db: Queryable, id: TransferId): Promise<boolean> {
  const { rowCount } = await db.query(
    `update transfers set cancel_wanted = true
     where id = $1 and finished_at is null and swapping_at is null`,
    [id],
  )
  return rowCount === 1
}

/** Writes down that what was restored takes the database's place. False when it was canceled. */
export async function beginSwap(db: Queryable, id: TransferId): Promise<boolean> {
  const { rowCount } = await db.query(
    `update transfers set swapping_at = coalesce(swapping_at, now())
     where id = $1 and not cancel_wanted`,
    [id],
  )
  return rowCount === 1
}

/** False for one that is still under way. Its file goes with the next tidying. */
export async function deleteTransfer(db: Queryable, id: TransferId): Promise<boolean> {
  const { rowCount } = await db.query(
    'update transfers set deleted_at = now() where id = $1 and finished_at is not null',
    [id],
  )
  return rowCount === 1
}

/** Which of these have ended. */
export async function listEnded(db: Queryable, ids: TransferId[]): Promise<TransferId[]> {
  const { rows } = await db.query<{ id: TransferId }>(
    'select id from transfers where id = any($1::uuid[]) and finished_at is not null',
    [ids],
  )
  return rows.map(({ id }) => id)
}

/** Leaves so many of a database's backups of that origin, the newest. */
export async function deleteOldest(
  tx: Transaction,
  { addonId, origin, keep }: { addonId: AddonId; origin: TransferOrigin; keep: number },
): Promise<void> {
  await tx.query(
    `update transfers set deleted_at = now() where id in (
       select id from transfers where from_addon_id = $1 and origin = $2 and kind = 'capture'
         and state = 'succeeded' and deleted_at is null
       order by num desc offset $3)`,
    [addonId, origin, keep],
  )
}

/** The backups of a database that is gone are kept so long. */
export async function expireBackups(
  tx: Transaction,
  { addonId, keepDays }: { addonId: AddonId; keepDays: number },
): Promise<void> {
  await tx.query(
    `update transfers set expires_at = now() + make_interval(days => $2)
     where from_addon_id = $1 and kind = 'capture' and expires_at is null and deleted_at is null`,
    [addonId, keepDays],
  )
}

/** Deletes what has expired, and what ended in vain so many days ago. */
export async function deleteExpired(db: Queryable, days: number): Promise<void> {
  await db.query(
    `update transfers set deleted_at = now()
     where deleted_at is null and (expires_at < now()
       or finished_at < now() - make_interval(days => $1)
         and (kind <> 'capture' or state <> 'succeeded'))`,
    [days],
  )
}

/** Files that no transfer needs any more: it was deleted, or ended and left none to restore. */
export async function listUnneededFiles(
  db: Queryable,
): Promise<{ id: TransferId; file: string }[]> {
  const { rows } = await db.query<{ id: TransferId; file: string }>(
    `select id, file from transfers where file is not null and (deleted_at is not null
       or finished_at is not null and (kind <> 'capture' or state <> 'succeeded'))`,
  )
  return rows
}

export async function forgetFile(db: Queryable, id: TransferId): Promise<void> {
  await db.query('update transfers set file = null where id = $1', [id])
}

export async function listFiles(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ file: string }>(
    'select file from transfers where file is not null',
  )
  return rows.map(({ file }) => file)
}

/** Forgets transfers that were deleted so many days ago and left nothing. */
export async function forgetDeleted(db: Queryable, days: number): Promise<void> {
  await db.query(
    `delete from transfers
     where deleted_at < now() - make_interval(days => $1) and file is null`,
    [days],
  )
}
