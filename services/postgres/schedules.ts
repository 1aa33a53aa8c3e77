import { invalidParams } from '#lib/errors.ts'
import { newId, type ScheduleId } from '#lib/ids.ts'
import { transaction } from '#lib/postgres.ts'
import { findDatabase } from './databases-db.ts'
import { assertReady, type DatabasesContext } from './databases.ts'
import { deleteScheduleOf, putSchedule, takeDueSchedule, type ScheduleRow } from './schedules-db.ts'
import { startCapture } from './transfers.ts'

const nameCharsMax = 200

/** Has a database backed up every day at that hour. INVALID_PARAMS for no such hour or timezone. */
export async function scheduleBackups(
  { pool }: Pick<DatabasesContext, 'pool'>,
  schedule: Omit<ScheduleRow, 'id'>,
): Promise<ScheduleRow> {
  const { hour, timezone, name } = schedule
  if (hour > 23) throw invalidParams('The hour is one from 0 to 23.')
  if (!isTimezone(timezone))
    throw invalidParams(
      `There is no timezone ${JSON.stringify(timezone)}. Name one as "America/Los_Angeles" or "UTC".`,
    )
  if (name.length > nameCharsMax) throw invalidParams('The name of the schedule is too long.')
  assertReady(await findDatabase(pool, schedule.addonId))
  return putSchedule(pool, { ...schedule, id: newId<ScheduleId>() })
}

function isTimezone(timezone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: timezone }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}

/**
 * Begins the backups that are due. What was missed while no process ran is made once. One that
 * still has the backup of the day before under way is due again the next day.
 */
export async function runSchedules(context: DatabasesContext): Promise<void> {
  for (;;) {
    const more = await transaction(context.pool, async (tx) => {
      const schedule = await takeDueSchedule(tx)
      if (!schedule) return false
      const { addonId, appId, requestedBy } = schedule
      const row = await findDatabase(tx, addonId)
      if (row?.state !== 'ready' || row.removalWanted) await deleteScheduleOf(tx, addonId)
      else await startCapture(tx, row, { appId, requestedBy, origin: 'scheduled' })
      return true
    })
    if (!more) return
  }
}
