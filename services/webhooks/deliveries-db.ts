import type { DeliveryId, TopicId, WebhookEventId, WebhookId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'
import type { Page } from './events-db.ts'
import type { Level } from './webhooks-db.ts'

//   pending ──▶ scheduled ──▶ succeeded
//                  │  ▲ (in its turn again)
//                  ▼  │
//               retrying ──▶ failed
/**
 * Where a delivery is; `scheduled` is its first attempt, `retrying` waits for or is a later one.
 */
export const deliveryStatuses = ['pending', 'scheduled', 'retrying', 'failed', 'succeeded'] as const
export type DeliveryStatus = (typeof deliveryStatuses)[number]

export type DeliveryRow = {
  id: DeliveryId
  seq: number
  topicId: TopicId
  webhookId: WebhookId
  level: Level
  eventId: WebhookEventId
  include: string
  status: DeliveryStatus
  attempts: number
  nextAttemptAt: Date | null
  /** Null: there was no attempt. */
  attemptId: string | null
  attemptStatus: 'scheduled' | 'succeeded' | 'failed'
  /** The status that was answered; null: none was. */
  attemptCode: number | null
  /** Empty: there was an answer. */
  attemptError: string
  attemptBeganAt: Date
  attemptEndedAt: Date | null
  createdAt: Date
  updatedAt: Date
}

const selectDeliveries = `select d.id, d.seq::float8 as seq, d.topic_id as "topicId",
    d.webhook_id as "webhookId", w.level, d.event_id as "eventId", e.include, d.status,
    d.attempts, d.next_attempt_at as "nextAttemptAt", d.attempt_id as "attemptId",
    d.attempt_status as "attemptStatus", d.attempt_code as "attemptCode",
    d.attempt_error as "attemptError", d.attempt_began_at as "attemptBeganAt",
    d.attempt_ended_at as "attemptEndedAt", d.created_at as "createdAt",
    d.updated_at as "updatedAt"
  from deliveries d
  join webhooks w on w.id = d.webhook_id
  join events e on e.id = d.event_id`
const waiting = `status in ('pending', 'scheduled', 'retrying')`

export async function countWaiting(tx: Transaction, webhookId: WebhookId): Promise<number> {
  const { rows } = await tx.query<{ count: number }>(
    `select count(*)::int as count from deliveries where webhook_id = $1 and ${waiting}`,
    [webhookId],
  )
  return rows[0]?.count ?? 0
}

type NewDelivery = Pick<DeliveryRow, 'id' | 'topicId' | 'webhookId' | 'eventId' | 'createdAt'>

export async function insertDelivery(tx: Transaction, row: NewDelivery): Promise<void> {
  await tx.query(
    `insert into deliveries (id, topic_id, webhook_id, event_id, status, next_attempt_at,
       created_at, updated_at)
     values ($1, $2, $3, $4, 'pending', $5, $5, $5)`,
    [row.id, row.topicId, row.webhookId, row.eventId, row.createdAt],
  )
}

/** One that is not sent at all, and why. */
export async function insertRefusedDelivery(
  tx: Transaction,
  row: NewDelivery & { attemptId: string; error: string },
): Promise<void> {
  await tx.query(
    `insert into deliveries (id, topic_id, webhook_id, event_id, status, attempt_id,
       attempt_status, attempt_error, attempt_began_at, attempt_ended_at, created_at, updated_at)
     values ($1, $2, $3, $4, 'failed', $5, 'failed', $6, $7, $7, $7, $7)`,
    [row.id, row.topicId, row.webhookId, row.eventId, row.attemptId, row.error, row.createdAt],
  )
}

/** The delivery whose turn it is: the first that waits for the webhook. */
export async function findFirstWaiting(
  tx: Transaction,
  webhookId: WebhookId,
): Promise<DeliveryRow | undefined> {
  const { rows } = await tx.query<DeliveryRow>(
    `${selectDeliveries} where d.webhook_id = $1 and d.${waiting} order by d.seq limit 1`,
    [webhookId],
  )
  return rows[0]
}

export async function beginAttempt(
  tx: Transaction,
  { id, attemptId }: { id: DeliveryId; attemptId: string },
): Promise<void> {
  await tx.query(
    `update deliveries set attempts = attempts + 1, attempt_id = $2, attempt_status = 'scheduled',
       attempt_code = null, attempt_error = '', attempt_began_at = now(), attempt_ended_at = null,
       status = case status when 'pending' then 'scheduled' else status end, updated_at = now()
     where id = $1`,
    [id, attemptId],
  )
}

export async function endAttempt(
  tx: Transaction,
  end: {
    id: DeliveryId
    status: DeliveryStatus
    succeeded: boolean
    code: number | null
    error: string
    nextAttemptAt: Date | null
  },
): Promise<void> {
  await tx.query(
    `update deliveries set status = $2, attempt_status = $3, attempt_code = $4,
       attempt_error = $5, attempt_ended_at = now(), next_attempt_at = $6, updated_at = now()
     where id = $1`,
    [
      ...[end.id, end.status, end.succeeded ? 'succeeded' : 'failed', end.code, end.error],
      end.nextAttemptAt,
    ],
  )
}

export async function findDelivery(
  db: Queryable,
  topicId: TopicId,
  id: DeliveryId,
): Promise<DeliveryRow | undefined> {
  const { rows } = await db.query<DeliveryRow>(
    `${selectDeliveries} where d.topic_id = $1 and d.id = $2`,
    [topicId, id],
  )
  return rows[0]
}

/** By number; an empty status is any. */
export async function listDeliveries(
  db: Queryable,
  topicId: TopicId,
  { status, lowest, highest, descending, limit }: Page & { status: string },
): Promise<DeliveryRow[]> {
  const { rows } = await db.query<DeliveryRow>(
    `${selectDeliveries} where d.topic_id = $1 and d.seq between $2 and $3
       and ($4 = '' or d.status = $4)
     order by d.seq ${descending ? 'desc' : 'asc'} limit $5`,
    [topicId, lowest, highest, status, limit],
  )
  return rows
}
