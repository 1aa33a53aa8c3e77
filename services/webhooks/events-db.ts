import type { TopicId, WebhookEventId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'

/** What happened, in Heroku's words, without what is of one delivery only. */
export type Payload = {
  action: string
  actor: { email: string; id: string }
  data: object
  previous_data: object
  published_at: string
  resource: string
  version: string
}

export type EventRow = {
  id: WebhookEventId
  topicId: TopicId
  sequence: number
  include: string
  payload: Payload
  createdAt: Date
}

/** A part of a list by number, in one direction; both bounds inclusive. */
export type Page = { lowest: number; highest: number; descending: boolean; limit: number }

const columns = `id, topic_id as "topicId", sequence::float8 as sequence, include, payload,
  created_at as "createdAt"`

export async function hasEvent(db: Queryable, id: WebhookEventId): Promise<boolean> {
  const { rows } = await db.query('select from events where id = $1', [id])
  return rows.length > 0
}

export async function insertEvent(tx: Transaction, row: EventRow): Promise<void> {
  await tx.query(
    `insert into events (id, topic_id, sequence, include, payload, created_at)
     values ($1, $2, $3, $4, $5, $6)`,
    [row.id, row.topicId, row.sequence, row.include, JSON.stringify(row.payload), row.createdAt],
  )
}

export async function findEvent(
  db: Queryable,
  topicId: TopicId,
  id: WebhookEventId,
): Promise<EventRow | undefined> {
  const { rows } = await db.query<EventRow>(
    `select ${columns} from events where topic_id = $1 and id = $2`,
    [topicId, id],
  )
  return rows[0]
}

export async function listEvents(
  db: Queryable,
  topicId: TopicId,
  { lowest, highest, descending, limit }: Page,
): Promise<EventRow[]> {
  const { rows } = await db.query<EventRow>(
    `select ${columns} from events where topic_id = $1 and sequence between $2 and $3
     order by sequence ${descending ? 'desc' : 'asc'} limit $4`,
    [topicId, lowest, highest, limit],
  )
  return rows
}

/**
 * Deletes events that are too old, or too many of their topic, with their deliveries; not those
 * that still wait.
 *
 * @returns how many.
 */
export async function deleteOldEvents(
  db: Queryable,
  options: { olderThanDays: number; perTopicMax: number; limit: number },
): Promise<number> {
  const { rowCount } = await db.query(
    // Each of the two goes by its index.
    `delete from events where id in (
       select e.id from (
         select e.id from topics t
         join events e on e.topic_id = t.id and e.sequence <= t.last_sequence - $2
         union all
         select id from events where created_at < now() - make_interval(days => $1)) e
       where not exists (
         select from deliveries d
         where d.event_id = e.id and d.status in ('pending', 'scheduled', 'retrying'))
       limit $3)`,
    [options.olderThanDays, options.perTopicMax, options.limit],
  )
  return rowCount ?? 0
}
