import { must } from '#lib/assert.ts'
import { formatBytes } from '#lib/format-bytes.ts'
import type { AddonId } from '#lib/ids.ts'
import type { Transaction } from '#lib/postgres.ts'
import type { Outcome, StepInfo } from '#lib/workflow/define-workflow.ts'
import { findDatabase, type DatabaseRow } from '../databases-db.ts'
import { planOf, type DatabasesContext } from '../databases.ts'
import {
  dumpSizeFactor,
  finalSnapshotBytesPerSecond,
  finalSnapshotSecondsMax,
  finalSnapshotSecondsMin,
  manualBackupsMax,
  scheduledBackupsMax,
  transferSecondsMax,
  transferTriesMax,
  transferTurnSeconds,
} from '../limits.ts'
import { observeSizes } from '../server-admin.ts'
import { canceled, TransferEnded, underWatch, type Watch } from '../transfer-watch.ts'
import { dumpDatabase, restoreAside } from '../transfer-work.ts'
import {
  beginRun,
  deleteOldest,
  findContents,
  findTransfer,
  finishTransfer,
  forgetRun,
  isUnwanted,
  logTransfer,
  saveChecked,
  saveDump,
  type TransferEnd,
  type TransferRow,
} from '../transfers-db.ts'

/** The transfer that a workflow is about. */
export type FindTransfer = (
  context: DatabasesContext,
  info: StepInfo,
) => Promise<TransferRow | undefined>

type Write = (tx: Transaction) => Promise<void>
type Part = (context: DatabasesContext, transfer: TransferRow, watch: Watch) => Promise<Write>

/**
 * A step that is a long part of a transfer: it waits for its turn, is looked after while it runs,
 * and when it has failed for good ends the transfer and leads to `failed`. Without a transfer, or
 * with one that has ended, there is nothing to do.
 */
function transferStep<S extends string>(
  find: FindTransfer,
  next: { done: S; failed: S },
  part: Part,
) {
  return async (context: DatabasesContext, info: StepInfo): Promise<Outcome<S>> => {
    const { pool, backups } = context
    const transfer = await find(context, info)
    if (!transfer || transfer.finishedAt) return { go: next.failed }
    const endWith = (end: TransferEnd, message: string): Outcome<S> => ({
      go: next.failed,
      write: (tx) => endInVain(tx, transfer, end, message),
    })
    // Before its turn, for which it may have to wait long.
    if (await isUnwanted(pool, transfer.id)) return endWith('canceled', canceled)
    // Runs that took their process along have said nothing.
    if (transfer.runs >= transferTriesMax) return endWith('failed', 'No run came to its end.')
    if (!backups.takeTurn(transfer)) return { waitSeconds: transferTurnSeconds }
    try {
      await beginRun(pool, transfer.id)
      const options = await watchOptions(context, transfer)
      const write = await underWatch(context, transfer, options, (watch) =>
        part(context, transfer, watch),
      )
      return { go: next.done, write }
    } catch (error) {
      // What ends with the process is another's to go on with.
      if (backups.stopping.aborted) {
        await forgetRun(pool, transfer.id)
        throw error
      }
      const end = error instanceof TransferEnded ? error.end : undefined
      if (!end && transfer.runs + 1 < transferTriesMax) throw error
      return endWith(end ?? 'failed', error instanceof Error ? error.message : String(error))
    } finally {
      backups.endTurn(transfer)
    }
  }
}

async function watchOptions(context: DatabasesContext, transfer: TransferRow) {
  const row = await mustFind(context, transfer.fromAddonId ?? transfer.toAddonId)
  return {
    // What was dumped stays what it was while it is checked; all else begins anew with the step.
    bytesBefore: transfer.kind !== 'restore' && transfer.file ? transfer.processedBytes : 0,
    // What a restore reads was bounded when it was dumped.
    bytesMax:
      transfer.kind === 'restore'
        ? Infinity
        : planOf(context.plans, row).sizeBytesMax * dumpSizeFactor,
    secondsMax:
      transfer.origin === 'final' ? await finalSnapshotSeconds(context, row) : transferSecondsMax,
  }
}

/** How long a run of a final snapshot may take: the larger the database, the longer. */
async function finalSnapshotSeconds(
  { server }: DatabasesContext,
  row: DatabaseRow,
): Promise<number> {
  const [seen] = await observeSizes(server.pool, [row])
  const seconds = Math.ceil((seen?.sizeBytes ?? 0) / finalSnapshotBytesPerSecond)
  return Math.min(Math.max(seconds, finalSnapshotSecondsMin), finalSnapshotSecondsMax)
}

async function endInVain(
  tx: Transaction,
  { id }: TransferRow,
  state: TransferEnd,
  message: string,
): Promise<void> {
  await logTransfer(tx, id, message)
  await finishTransfer(tx, { id, state })
}

/** Dumps the transfer's source into a file, once for a transfer. */
export function dumpStep<S extends string>(find: FindTransfer, next: { done: S; failed: S }) {
  return transferStep(find, next, async (context, transfer, watch) => {
    const { id } = transfer
    const row = await mustFind(context, transfer.fromAddonId)
    await logTransfer(context.pool, id, `Dumping ${transfer.fromName}.`)
    const dumped = await dumpDatabase(context, transfer, row, watch)
    return async (tx) => {
      await saveDump(tx, { id, ...dumped })
      await logTransfer(tx, id, `Dumped; ${formatBytes(dumped.processedBytes)}.`)
    }
  })
}

/**
 * Restores a capture aside and compares it with what the dump saw. Only then has it succeeded; the
 * oldest of its database's backups go when there are too many.
 */
export function checkStep<S extends string>(find: FindTransfer, next: { done: S; failed: S }) {
  return transferStep(find, next, async (context, transfer, watch) => {
    const { id, origin } = transfer
    const addonId = must(transfer.fromAddonId, 'source of a capture')
    const row = await mustFind(context, addonId)
    const source = await sourceOf(context, transfer, row)
    const restored = await restoreAside(context, transfer, source, watch)
    const keep = origin === 'scheduled' ? scheduledBackupsMax : manualBackupsMax
    const { finalDays } = context.backups
    return async (tx) => {
      await saveChecked(tx, { id, ...restored })
      await logTransfer(tx, id, 'Restored aside and compared: every table is as it was dumped.')
      const keepDays = origin === 'final' ? { keepDays: finalDays } : {}
      await finishTransfer(tx, { id, state: 'succeeded', ...keepDays })
      await deleteOldest(tx, { addonId, origin, keep })
    }
  })
}

/**
 * Restores into a database aside, compared with what was dumped, that is to take the target's
 * place.
 */
export function restoreStep<S extends string>(find: FindTransfer, next: { done: S; failed: S }) {
  return transferStep(find, next, async (context, transfer, watch) => {
    const { id } = transfer
    const row = await mustFind(context, transfer.toAddonId)
    await logTransfer(context.pool, id, `Restoring ${transfer.fromName}.`)
    const source = await sourceOf(context, transfer, row)
    const restored = await restoreAside(context, transfer, source, watch)
    return async (tx) => {
      await saveChecked(tx, { id, ...restored })
      await logTransfer(tx, id, 'Compared: every table is as it was dumped.')
    }
  })
}

/** The file that a transfer reads: its own, or the backup's. */
async function sourceOf(
  { pool }: DatabasesContext,
  { id, file, backupId }: TransferRow,
  row: DatabaseRow,
) {
  const own = backupId === null
  const source = own ? { id, file } : await findTransfer(pool, backupId)
  const contents = source && (await findContents(pool, source.id))
  if (!source?.file || !contents) throw new TransferEnded('The backup was deleted.')
  return { row, file: source.file, contents }
}

async function mustFind({ pool }: DatabasesContext, addonId: AddonId | null): Promise<DatabaseRow> {
  const id = must(addonId, 'database of a transfer')
  return must(await findDatabase(pool, id), `database ${id}`)
}
