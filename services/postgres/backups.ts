import type { AppId } from '#lib/ids.ts'
import type { Log } from '#lib/log.ts'
import { openBackupFolder } from './backup-files.ts'
import { finalSnapshotsAtOnceMax, transfersAtOnceMax } from './limits.ts'
import type { TransferRow } from './transfers-db.ts'

type Turn = Pick<TransferRow, 'appId' | 'origin'>

/** Where backups are kept, and what this process does of them at a time. */
export type Backups = {
  folder: string
  /** Folder of pg_dump and pg_restore. */
  binDir: string
  /** How long the last backups of a database that was removed are kept; 0: none is made. */
  finalDays: number
  /** Raised when the process is about to stop: another run takes the work up. */
  stopping: AbortSignal
  /**
   * True when one more may be worked on, of that app no second one; then endTurn is to be called.
   * Final snapshots have turns of their own.
   */
  takeTurn: (turn: Turn) => boolean
  endTurn: (turn: Turn) => void
  log: Log
}

/** Opens the folder of the backups, made at the first start. */
export async function openBackups(
  options: Pick<Backups, 'folder' | 'binDir' | 'finalDays' | 'stopping' | 'log'>,
): Promise<Backups> {
  await openBackupFolder(options.folder)
  const ordinary = { taken: new Set<AppId>(), max: transfersAtOnceMax }
  const finals = { taken: new Set<AppId>(), max: finalSnapshotsAtOnceMax }
  const turnsOf = ({ origin }: Turn) => (origin === 'final' ? finals : ordinary)
  return {
    ...options,
    takeTurn: (turn) => {
      const { taken, max } = turnsOf(turn)
      if (taken.size >= max || taken.has(turn.appId)) return false
      taken.add(turn.appId)
      return true
    },
    endTurn: (turn) => void turnsOf(turn).taken.delete(turn.appId),
  }
}
