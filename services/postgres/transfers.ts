import { timingSafeEqual } from 'node:crypto'
import { conflict, forbidden, invalidParams, notFound } from '#lib/errors.ts'
import { formatBytes } from '#lib/format-bytes.ts'
import { newId, type AddonId, type AppId, type TransferId } from '#lib/ids.ts'
import { transaction, type Pool, type Transaction } from '#lib/postgres.ts'
import { startWorkflow, type WorkflowRunner } from '#lib/workflow/workflow-runner.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
import { findDatabaseNamed, lockDatabase, type DatabaseRow } from './databases-db.ts'
import {
  assertOneCredential,
  assertReady,
  openPassword,
  planOf,
  type DatabasesContext,
} from './databases.ts'
import { farOverFactor } from './limits.ts'
import {
  deleteTransfer,
  findTransfer,
  findTransferOf,
  findUnfinishedCapture,
  insertTransfer,
  wantCancel,
  type TransferOrigin,
  type TransferRow,
} from './transfers-db.ts'
import { captureBackup } from './workflows/capture-backup.ts'
import { restoreBackup } from './workflows/restore-backup.ts'

/** Who asks for a transfer, and among whose transfers it is; the api has judged that he may. */
export type Request = { addonId: AddonId; appId: AppId; requestedBy: string }

type Parts = Pick<DatabasesContext, 'pool' | 'plans' | 'secrets'> & { runner: WorkflowRunner }

export const transferName = ({ kind, origin, num }: TransferRow): string => {
  const letter = { capture: origin === 'scheduled' ? 'a' : 'b', restore: 'r', copy: 'c' }[kind]
  return letter + String(num).padStart(3, '0')
}

/** Begins a backup of a ready database. CONFLICT while one of it is under way. */
export async function requestCapture({ pool, runner }: Parts, request: Request) {
  const transfer = await transaction(pool, async (tx) => {
    const row = assertReady(await lockDatabase(tx, request.addonId))
    const started = await startCapture(tx, row, { ...request, origin: 'manual' })
    if (!started) throw conflict('A backup of the database is being made already.')
    return started
  })
  runner.wake()
  return transfer
}

/** Undefined while a backup of the database is under way. */
export async function startCapture(
  tx: Transaction,
  { addonId, name }: DatabaseRow,
  request: { appId: AppId; requestedBy: string; origin: TransferOrigin },
): Promise<TransferRow | undefined> {
  if (await findUnfinishedCapture(tx, addonId)) return undefined
  const id = newId<TransferId>()
  const { appId, requestedBy, origin } = request
  const transfer = await insertTransfer(tx, {
    ...{ id, appId, requestedBy, origin, kind: 'capture', fromAddonId: addonId, fromName: name },
  })
  await startWorkflow(tx, captureBackup, id)
  return transfer
}

/**
 * Begins to put a backup in the place of what a ready database holds. INVALID_PARAMS when it is
 * none that can be restored there, CONFLICT while something else moves the database.
 */
export async function requestRestore(
  parts: Parts,
  request: Request & { backupId: TransferId },
): Promise<TransferRow> {
  const backup = restorable(await findTransfer(parts.pool, request.backupId))
  return startInto(parts, request, (row) => {
    const { sourceBytes, id: backupId } = backup
    assertRoomFor(parts, row, sourceBytes)
    return { kind: 'restore', backupId, fromName: transferName(backup), sourceBytes }
  })
}

/**
 * Begins to put a copy of another database in the place of what a ready one holds. Who has the
 * other's url may read it.
 */
export async function requestCopy(
  parts: Parts,
  request: Request & { fromUrl: string },
): Promise<TransferRow> {
  const source = await sourceAt(parts, request.fromUrl)
  if (source.addonId === request.addonId)
    throw invalidParams('A database cannot be copied onto itself.')
  return startInto(parts, request, (row) => {
    assertRoomFor(parts, row, source.sizeBytes)
    return { kind: 'copy', fromAddonId: source.addonId, fromName: source.name }
  })
}

async function startInto(
  { pool, runner }: Parts,
  { addonId, appId, requestedBy }: Request,
  describe: (
    row: DatabaseRow,
  ) => Omit<Parameters<typeof insertTransfer>[1], 'id' | 'appId' | 'requestedBy'>,
): Promise<TransferRow> {
  const transfer = await transaction(pool, async (tx) => {
    const row = assertReady(await lockDatabase(tx, addonId))
    assertOneCredential(row)
    if (await getRunningWorkflow(tx, addonId))
      throw conflict('The database is just being changed. Try again in a moment.')
    const started = await insertTransfer(tx, {
      ...{ id: newId<TransferId>(), appId, requestedBy, toAddonId: addonId, toName: row.name },
      ...describe(row),
    })
    await startWorkflow(tx, restoreBackup, addonId)
    return started
  })
  runner.wake()
  return transfer
}

function assertRoomFor({ plans }: Parts, row: DatabaseRow, sourceBytes: number): void {
  const { sizeBytesMax } = planOf(plans, row)
  if (sourceBytes > sizeBytesMax * farOverFactor)
    throw invalidParams(
      `What is to be restored has ${formatBytes(sourceBytes)}, and the plan "${row.plan}" holds` +
        ` ${formatBytes(sizeBytesMax)}. Choose a larger plan first.`,
    )
}

async function sourceAt({ pool, secrets }: Parts, text: string): Promise<DatabaseRow> {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const row = url && (await findDatabaseNamed(pool, url.pathname.slice(1)))
  if (row?.state !== 'ready' || row.roleName !== url?.username)
    throw invalidParams(
      'Plexus copies from its own databases only. For another: pg_dump URL | heroku pg:psql.',
    )
  const [told, known] = [Buffer.from(url.password), Buffer.from(openPassword(secrets, row))]
  if (told.length !== known.length || !timingSafeEqual(told, known))
    throw forbidden('The url of the source does not have its password.')
  return row
}

/** A transfer of the app, or of any one when none is named. NOT_FOUND when it was deleted. */
export async function getTransfer(
  pool: Pool,
  ref: { appId: AppId | undefined; transfer: string },
): Promise<TransferRow> {
  return found(await findTransferOf(pool, ref))
}

/** A backup that is good. NOT_FOUND, or INVALID_PARAMS with the reason. */
export function restorable(transfer: TransferRow | undefined): TransferRow & { file: string } {
  const backup = found(transfer)
  const { kind, state, file } = backup
  if (kind !== 'capture' || state !== 'succeeded' || file === null)
    throw invalidParams(
      `${transferName(backup)} is no backup that can be used: it is a ${kind}, ${state}.`,
    )
  return { ...backup, file }
}

function found(transfer: TransferRow | undefined): TransferRow {
  if (!transfer) throw notFound('backup')
  return transfer
}

/**
 * Wants the end of one that is under way; within a second or two it has ended. CONFLICT when it has
 * ended already, or has begun to take the database's place.
 */
export async function cancelTransfer(pool: Pool, transfer: TransferRow): Promise<void> {
  if (await wantCancel(pool, transfer.id)) return
  const { finishedAt, state } = found(await findTransfer(pool, transfer.id))
  throw conflict(
    finishedAt
      ? `${transferName(transfer)} has ended already: ${state}.`
      : `${transferName(transfer)} is just taking the database's place. It is too late to cancel it.`,
  )
}

/** Deletes one that has ended, and its file. */
export async function deleteEnded(pool: Pool, transfer: TransferRow): Promise<void> {
  if (!(await deleteTransfer(pool, transfer.id)))
    throw conflict(`${transferName(transfer)} is under way. Cancel it first.`)
}
