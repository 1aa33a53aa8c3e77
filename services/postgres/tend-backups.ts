import { removeBackup, removeStrays } from './backup-files.ts'
import type { DatabasesContext } from './databases.ts'
import { strayFileMs, transferRowDays } from './limits.ts'
import { runSchedules } from './schedules.ts'
import {
  deleteExpired,
  forgetDeleted,
  forgetFile,
  listFiles,
  listUnneededFiles,
} from './transfers-db.ts'

/**
 * Begins the backups that are due, deletes those that have expired, and removes the files that no
 * backup needs any more. Takes no input and may run at any time, also twice at a time.
 */
export async function tendBackups(context: DatabasesContext): Promise<void> {
  const { pool, backups } = context
  await runSchedules(context)
  await deleteExpired(pool, transferRowDays)
  for (const { id, file } of await listUnneededFiles(pool)) {
    await removeBackup(backups.folder, file)
    await forgetFile(pool, id)
  }
  await removeStrays(backups.folder, new Set(await listFiles(pool)), strayFileMs)
  await forgetDeleted(pool, transferRowDays)
}
