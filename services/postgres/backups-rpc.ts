import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { notFound } from '#lib/errors.ts'
import { parseId, type AddonId, type AppId, type ScheduleId, type TransferId } from '#lib/ids.ts'
import type { RpcHandlers } from '#lib/rpc.ts'
import type { WorkflowRunner } from '#lib/workflow/workflow-runner.ts'
import type { PostgresDataService } from '#proto/data/v1/data_pb.ts'
import type { BackupScheduleSchema, TransferSchema } from '#proto/data/v1/transfers_pb.ts'
import { readBackupChunk } from './backup-files.ts'
import { newBackupTicket, openBackupTicket } from './backup-tickets.ts'
import { databaseNotFound, type DatabasesContext } from './databases.ts'
import { backupChunkBytesMax } from './limits.ts'
import { deleteSchedule, listSchedules, type ScheduleRow } from './schedules-db.ts'
import { scheduleBackups } from './schedules.ts'
import { findTransfer, listTransfers, type TransferRow } from './transfers-db.ts'
import {
  cancelTransfer,
  deleteEnded,
  getTransfer,
  requestCapture,
  requestCopy,
  requestRestore,
  restorable,
  transferName,
  type Request,
} from './transfers.ts'

type Handlers = Pick<
  RpcHandlers<typeof PostgresDataService>,
  | 'captureBackup'
  | 'restoreBackup'
  | 'copyDatabase'
  | 'listTransfers'
  | 'getTransfer'
  | 'cancelTransfer'
  | 'deleteBackup'
  | 'createBackupTicket'
  | 'readBackup'
  | 'scheduleBackups'
  | 'listBackupSchedules'
  | 'removeBackupSchedule'
>

/** Answers about backups, for the api, which has asked before whether the caller may touch them. */
export function backupHandlers(context: DatabasesContext, runner: WorkflowRunner): Handlers {
  return { ...transferHandlers(context, runner), ...fileHandlers(context), ...schedules(context) }
}

function transferHandlers(context: DatabasesContext, runner: WorkflowRunner) {
  const { pool, plans, secrets } = context
  const parts = { pool, plans, secrets, runner }
  return {
    captureBackup: async (request) =>
      transferMessage(await requestCapture(parts, parseRequest(request))),
    restoreBackup: async ({ backup, ...request }) => {
      const backupId =
        backup.case === 'ticket'
          ? openBackupTicket(secrets, backup.value)
          : parseId<TransferId>(backup.value ?? '')
      if (!backupId) throw notFound('backup')
      return transferMessage(await requestRestore(parts, { ...parseRequest(request), backupId }))
    },
    copyDatabase: async ({ fromUrl, ...request }) =>
      transferMessage(await requestCopy(parts, { ...parseRequest(request), fromUrl })),
    listTransfers: async ({ appId }) => {
      const rows = await listTransfers(pool, parseApp(appId))
      return { transfers: rows.map((row) => transferMessage({ ...row, logs: [] })) }
    },
    getTransfer: async (ref) => transferMessage(await getTransfer(pool, parseRef(ref))),
    cancelTransfer: async (ref) => {
      const row = await getTransfer(pool, parseRef(ref))
      await cancelTransfer(pool, row)
      return transferMessage(row)
    },
    deleteBackup: async (ref) => {
      const row = await getTransfer(pool, parseRef(ref))
      await deleteEnded(pool, row)
      return transferMessage(row)
    },
  } satisfies Partial<Handlers>
}

function fileHandlers({ pool, secrets, backups }: DatabasesContext) {
  return {
    createBackupTicket: async (ref) => {
      const { id } = restorable(await getTransfer(pool, parseRef(ref)))
      const { ticket, expiresAt } = newBackupTicket(secrets, id)
      return { ticket, expiresAt: timestampFromDate(expiresAt) }
    },
    readBackup: async ({ ticket, offset }) => {
      // The api alone may ask this, and for a later piece only where it was given the first: a
      // download that takes more than the ticket's hour is not cut off in its midst.
      const id = openBackupTicket(secrets, ticket, { begun: offset > 0n })
      const backup = restorable(await findTransfer(pool, id))
      const { data, sizeBytes } = await readBackupChunk(backups.folder, backup.file, {
        ...{ offset: Number(offset), bytesMax: backupChunkBytesMax },
      })
      const fileName = `${backup.fromName}-${transferName(backup)}.dump`
      return { data, sizeBytes: BigInt(sizeBytes), fileName }
    },
  } satisfies Partial<Handlers>
}

function schedules({ pool }: DatabasesContext) {
  return {
    scheduleBackups: async ({ name, hour, timezone, ...request }) =>
      scheduleMessage(
        await scheduleBackups({ pool }, { ...parseRequest(request), name, hour, timezone }),
      ),
    listBackupSchedules: async ({ appId }) => ({
      schedules: (await listSchedules(pool, parseApp(appId))).map(scheduleMessage),
    }),
    removeBackupSchedule: async ({ appId, scheduleId }) => {
      const id = parseId<ScheduleId>(scheduleId)
      const row = id && (await deleteSchedule(pool, { appId: parseApp(appId), id }))
      if (!row) throw notFound('schedule')
      return scheduleMessage(row)
    },
  } satisfies Partial<Handlers>
}

function parseRequest(request: { addonId: string; appId: string; requestedBy: string }): Request {
  const addonId = parseId<AddonId>(request.addonId)
  if (!addonId) throw databaseNotFound()
  return { addonId, appId: parseApp(request.appId), requestedBy: request.requestedBy }
}

function parseApp(text: string): AppId {
  const appId = parseId<AppId>(text)
  if (!appId) throw notFound('app')
  return appId
}

function parseRef({ appId, transfer }: { appId: string; transfer: string }) {
  return { appId: appId === '' ? undefined : parseApp(appId), transfer }
}

function transferMessage(row: TransferRow): MessageInitShape<typeof TransferSchema> {
  const time = (date: Date | null) => (date ? timestampFromDate(date) : undefined)
  const { id, num, kind, origin, appId, fromName, toName, state, warnings } = row
  const [startedAt, finishedAt] = [time(row.startedAt), time(row.finishedAt)]
  const expiresAt = time(row.expiresAt)
  return {
    ...{ id, num, kind, origin, appId, fromName, toName, state, warnings },
    fromAddonId: row.fromAddonId ?? '',
    toAddonId: row.toAddonId ?? '',
    sourceBytes: BigInt(row.sourceBytes),
    processedBytes: BigInt(row.processedBytes),
    logs: row.logs.map(({ at, message }) => ({ at: timestampFromDate(new Date(at)), message })),
    createdAt: timestampFromDate(row.createdAt),
    ...(startedAt && { startedAt }),
    ...(finishedAt && { finishedAt }),
    ...(expiresAt && { expiresAt }),
  }
}

const scheduleMessage = ({
  id,
  appId,
  addonId,
  name,
  hour,
  timezone,
}: ScheduleRow): MessageInitShape<typeof BackupScheduleSchema> => ({
  ...{ id, appId, addonId, name, hour, timezone },
})
