import { timestampDate, type Timestamp } from '@bufbuild/protobuf/wkt'
import { must } from '#lib/assert.ts'
import type { BackupSchedule, Transfer } from '#proto/data/v1/transfers_pb.ts'

/** To the millisecond: the CLI sorts transfers by it. */
const timeOf = (time: Timestamp): string => timestampDate(time).toISOString()
const timeOrNull = (time: Timestamp | undefined): string | null => (time ? timeOf(time) : null)

/** What the CLI hands back as the url of a backup when it is to be restored. */
const backupUrl = (id: string): string => `plexus-backup:${id}`

/** The backup's id in such a url. */
export function backupIn(url: string): string | undefined {
  return /^plexus-backup:([0-9a-f-]{36})$/.exec(url)?.[1]
}

/** Where each kind reads and writes, in the words by which the CLI tells them apart. */
const ends: Record<string, { from: string; to: string }> = {
  capture: { from: 'pg_dump', to: 'gof3r' },
  restore: { from: 'gof3r', to: 'pg_restore' },
  copy: { from: 'pg_dump', to: 'pg_restore' },
}

/**
 * A transfer; Heroku's name of a backup, restore or copy. The CLI makes its name, b001, of `num`.
 */
export function renderTransfer(transfer: Transfer) {
  const { id, num, fromName, toName, state, kind, warnings } = transfer
  const { from, to } = must(ends[kind], `kind ${kind} of a transfer`)
  const finishedAt = timeOrNull(transfer.finishedAt)
  return {
    uuid: id,
    num,
    from_type: from,
    from_name: fromName,
    to_type: to,
    to_name: kind === 'capture' ? 'BACKUP' : toName,
    ...(kind === 'capture' && { to_url: backupUrl(id) }),
    ...(transfer.origin === 'scheduled' && { schedule: { name: fromName } }),
    options: {},
    source_bytes: Number(transfer.sourceBytes),
    processed_bytes: Number(transfer.processedBytes),
    succeeded: finishedAt === null ? null : state === 'succeeded',
    warnings,
    created_at: timeOf(must(transfer.createdAt, 'time of a transfer')),
    started_at: timeOrNull(transfer.startedAt),
    finished_at: finishedAt,
    canceled_at: state === 'canceled' ? finishedAt : null,
    expires_at: timeOrNull(transfer.expiresAt),
    logs: transfer.logs.map(({ at, message }) => ({ created_at: timeOrNull(at), message })),
  }
}

export function renderSchedule({ id, name, hour, timezone }: BackupSchedule) {
  return { uuid: id, name, hour, timezone, days: [], callback_url: '', ...kept }
}

/** Plexus keeps a number of backups, and none for weeks or months. */
const kept = { retain_weeks: 0, retain_months: 0 }
