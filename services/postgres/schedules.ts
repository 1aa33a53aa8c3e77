import { invalidParams } from '#lib/errors.ts'
import { newId, type ScheduleId } from '#lib/ids.ts'
import { transaction, type Transaction } from '#lib/postgres.ts'
import { findDatabase } from './databases-db.ts'
import { assertReady, type DatabasesContext } from './databases.ts'
import {
  deleteScheduleOf,
  isTimezone,
  lockDueSchedule,
  moveToNextDay,
  postponeSchedule,
  putSchedule,
  type ScheduleRow,
} from './schedules-db.ts'
import { startCapture } from './transfers.ts'

const nameCharsMax = 200

/** Has a database backed up every day at that hour. INVALID_PARAMS for no such hour or timezone. */
export async function scheduleBackups(
  { pool }: Pick<DatabasesContext, 'pool'>,
  schedule: Omit<ScheduleRow, 'id'>,
): Promise<ScheduleRow> {
  const { hour, timezone, name } = schedule
  if (hour > 23) throw invalidParams('The hour is one from 0 to 23.')
  if (!(await isTimezone(pool, timezone)))
    throw invalidParams(
      `There is no timezone ${JSON.stringify(timezone)}. Name one as "America/Los_Angeles" or "UTC".`,
    )
  if (name.length > nameCharsMax) throw invalidParams('The name of the schedule is too long.')
  assertReady(await findDatabase(pool, schedule.addonId))
  return putSchedule(pool, { ...schedule, id: newId<ScheduleId>() })
}

/**
 * Begins the backups that are due. What was missed while no process ran is made once. One that
 * still has the backup of the day before under way is due again the next day, and so is one that
 * cannot be begun, which is reported.
 */
export async function runSchedules(context: DatabasesContext): Promise<void> {
  const { pool, backups } = context
  for (;;) {
    let due: ScheduleRow | undefined
    try {
      await transaction(pool, async (tx) => {
        due = await lockDueSchedule(tx)
        if (due) await runSchedule(tx, due)
      })
    } catch (err) {
      if (!due) throw err
      const { addonId: addon, timezone } = due
      backups.log.error({ alert: true, err, addon, timezone }, 'a scheduled backup was not begun')
      await postponeSchedule(pool, due.id)
    }
    if (!due) return
  }
}

async function runSchedule(tx: Transaction, schedule: ScheduleRow): Promise<void> {
  const { id, addonId, appId, requestedBy } = schedule
  await moveToNextDay(tx, id)
  const row = await findDatabase(tx, addonId)
  if (row?.state !== 'ready' || row.removalWanted) await deleteScheduleOf(tx, addonId)
  else await startCapture(tx, row, { appId, requestedBy, origin: 'scheduled' })
}
