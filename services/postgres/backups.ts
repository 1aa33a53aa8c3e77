import type { AppId } from '#lib/ids.ts'
import type { Log } from '#lib/log.ts'
import { openBackupFolder } from './backup-files.ts'
import { transfersAtOnceMax } from './limits.ts'

/** Where backups are kept, and what this process does of them at a time. */
export type Backups = {
  folder: string
  /** Folder of pg_dump and pg_restore. */
  binDir: string
  /** How long the last backups of a database that was removed are kept; 0: none is made. */
  finalDays: number
  /** Raised when the process is about to stop: another run takes the work up. */
  stopping: AbortSignal
  /** True when one more may be worked on, of that app no second one; then endTurn is to be called. */
  takeTurn: (appId: AppId) => boolean
  endTurn: (appId: AppId) => void
  log: Log
}

/** Opens the folder of the backups, made at the first start. */
export async function openBackups(
  options: Pick<Backups, 'folder' | 'binDir' | 'finalDays' | 'stopping' | 'log'>,
): Promise<Backups> {
  await openBackupFolder(options.folder)
  const turns = new Set<AppId>()
  return {
    ...options,
    takeTurn: (appId) => {
      if (turns.size >= transfersAtOnceMax || turns.has(appId)) return false
      turns.add(appId)
      return true
    },
    endTurn: (appId) => void turns.delete(appId),
  }
}
