import type { AddonId, AppId, ScheduleId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'

export type ScheduleRow = {
  id: ScheduleId
  addonId: AddonId
  appId: AppId
  name: string
  hour: number
  timezone: string
  requestedBy: string
}

const columns = `id, addon_id as "addonId", app_id as "appId", name, hour, timezone,
  requested_by as "requestedBy"`

/** The next time that it is that hour there, after now. */
const nextAt = (hour: string, timezone: string): string =>
  `(select (day + make_interval(hours => ${hour})) at time zone ${timezone}
    from generate_series(date_trunc('day', now() at time zone ${timezone}),
      (now() at time zone ${timezone}) + interval '2 days', interval '1 day') as days (day)
    where (day + make_interval(hours => ${hour})) at time zone ${timezone} > now()
    order by day limit 1)`

/** In the place of the one that the database has. */
export async function putSchedule(db: Queryable, row: ScheduleRow): Promise<ScheduleRow> {
  const { rows } = await db.query<ScheduleRow>(
    `insert into schedules (id, addon_id, app_id, name, hour, timezone, requested_by, next_at)
     values ($1, $2, $3, $4, $5::int, $6::text, $7, ${nextAt('$5::int', '$6::text')})
     on conflict (addon_id) do update set name = excluded.name, hour = excluded.hour,
       timezone = excluded.timezone, requested_by = excluded.requested_by,
       next_at = excluded.next_at
     returning ${columns}`,
    [row.id, row.addonId, row.appId, row.name, row.hour, row.timezone, row.requestedBy],
  )
  return rows[0] as ScheduleRow
}

export async function listSchedules(db: Queryable, appId: AppId): Promise<ScheduleRow[]> {
  const { rows } = await db.query<ScheduleRow>(
    `select ${columns} from schedules where app_id = $1 order by created_at, id`,
    [appId],
  )
  return rows
}

export async function deleteSchedule(
  db: Queryable,
  { appId, id }: { appId: AppId; id: ScheduleId },
): Promise<ScheduleRow | undefined> {
  const { rows } = await db.query<ScheduleRow>(
    `delete from schedules where app_id = $1 and id = $2 returning ${columns}`,
    [appId, id],
  )
  return rows[0]
}

export async function deleteScheduleOf(tx: Transaction, addonId: AddonId): Promise<void> {
  await tx.query('delete from schedules where addon_id = $1', [addonId])
}

/** One that is due, locked until the end of the transaction. */
export async function lockDueSchedule(tx: Transaction): Promise<ScheduleRow | undefined> {
  const { rows } = await tx.query<ScheduleRow>(
    `select ${columns} from schedules where next_at <= now()
     order by next_at limit 1 for update skip locked`,
  )
  return rows[0]
}

/** It is due again the next time that it is its hour. */
export async function moveToNextDay(tx: Transaction, id: ScheduleId): Promise<void> {
  await tx.query(`update schedules set next_at = ${nextAt('hour', 'timezone')} where id = $1`, [id])
}

/** The same for one whose hour may be what is wrong with it: in a day. */
export async function postponeSchedule(db: Queryable, id: ScheduleId): Promise<void> {
  await db.query(`update schedules set next_at = now() + interval '1 day' where id = $1`, [id])
}

/** Whether PostgreSQL, which reckons with it, knows the timezone by that name. */
export async function isTimezone(db: Queryable, timezone: string): Promise<boolean> {
  if (!/^[\w+/-]{1,64}$/.test(timezone)) return false
  const { rowCount } = await db.query('select from pg_timezone_names where name = $1', [timezone])
  return rowCount === 1
}
