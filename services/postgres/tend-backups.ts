import { removeBackup, removeStrays } from './backup-files.ts'
import type { DatabasesContext } from './databases.ts'
import { strayFileMs, transferRowDays } from './limits.ts'
import { cleanUp, listTransfersOnServer } from './scratch-db.ts'
import { runSchedules } from './schedules.ts'
import {
  deleteExpired,
  forgetDeleted,
  forgetFile,
  listEnded,
  listFiles,
  listUnneededFiles,
} from './transfers-db.ts'

/**
 * Begins the backups that are due, deletes those that have expired, and removes the files that no
 * backup needs any more, and what ended transfers have left on the server. Takes no input and may run at any time, also twice at a time.
 */
export async function tendBackups(context: DatabasesContext): Promise<void> {
  const { pool, backups, server } = context
  await deleteExpired(pool, transferRowDays)
  for (const { id, file } of await listUnneededFiles(pool)) {
    await removeBackup(backups.folder, file)
    await forgetFile(pool, id)
  }
  await removeStrays(backups.folder, new Set(await listFiles(pool)), strayFileMs)
  // A run that was overtaken may make something after its transfer's own clean-up.
  for (const id of await listEnded(pool, await listTransfersOnServer(server)))
    await cleanUp(server, id)
  await forgetDeleted(pool, transferRowDays)
  await runSchedules(context)
}
