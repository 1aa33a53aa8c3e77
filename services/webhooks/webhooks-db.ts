import type { TopicId, WebhookId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'

export type Level = 'notify' | 'sync'

export type WebhookRow = {
  id: WebhookId
  topicId: TopicId
  include: string[]
  level: Level
  sealedUrl: string
  sealedSecret: string
  /** Empty: none. */
  sealedAuthorization: string
  createdAt: Date
  updatedAt: Date
}

const columns = `id, topic_id as "topicId", include, level, sealed_url as "sealedUrl",
  sealed_secret as "sealedSecret", sealed_authorization as "sealedAuthorization",
  created_at as "createdAt", updated_at as "updatedAt"`

export async function insertWebhook(tx: Transaction, row: WebhookRow): Promise<void> {
  await tx.query(
    `insert into webhooks (id, topic_id, include, level, sealed_url, sealed_secret,
       sealed_authorization, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      ...[row.id, row.topicId, row.include, row.level, row.sealedUrl, row.sealedSecret],
      ...[row.sealedAuthorization, row.createdAt, row.updatedAt],
    ],
  )
}

/** Oldest first. */
export async function listWebhooks(db: Queryable, topicId: TopicId): Promise<WebhookRow[]> {
  const { rows } = await db.query<WebhookRow>(
    `select ${columns} from webhooks where topic_id = $1 order by created_at, id`,
    [topicId],
  )
  return rows
}

export async function findWebhook(
  db: Queryable,
  topicId: TopicId,
  id: WebhookId,
): Promise<WebhookRow | undefined> {
  const { rows } = await db.query<WebhookRow>(
    `select ${columns} from webhooks where topic_id = $1 and id = $2`,
    [topicId, id],
  )
  return rows[0]
}

/** Whatever waits for it is due at once: what was wrong with it may be right now. */
export async function updateWebhookRow(tx: Transaction, row: WebhookRow): Promise<void> {
  await tx.query(
    `update webhooks set include = $2, level = $3, sealed_url = $4, sealed_secret = $5,
       sealed_authorization = $6, updated_at = $7,
       due_at = case when due_at is null then null else least(due_at, now()) end
     where id = $1`,
    [
      ...[row.id, row.include, row.level, row.sealedUrl, row.sealedSecret],
      ...[row.sealedAuthorization, row.updatedAt],
    ],
  )
}

/** With its deliveries. */
export async function deleteWebhookRow(tx: Transaction, id: WebhookId): Promise<void> {
  await tx.query('delete from webhooks where id = $1', [id])
}

/** Something waits for each of them, from now on at the latest. */
export async function setDue(tx: Transaction, ids: WebhookId[]): Promise<void> {
  await tx.query(
    `update webhooks set due_at = coalesce(due_at, now()) where id = any($1::uuid[])`,
    [ids],
  )
}

/**
 * Takes one webhook with something due under a lease, or none; not one of those excepted, nor, with
 * `freshOnly`, one whose waiting delivery has failed before.
 */
export async function leaseDueWebhook(
  tx: Transaction,
  options: { lease: string; leaseMs: number; except: string[]; freshOnly: boolean },
): Promise<WebhookRow | undefined> {
  const { rows } = await tx.query<WebhookRow>(
    `update webhooks set lease = $1, leased_until = now() + make_interval(secs => $2)
     where id = (
       select id from webhooks
       where due_at <= now() and (leased_until is null or leased_until < now())
         and not id = any($3::uuid[])
         and (not $4 or not exists (
           select from deliveries where webhook_id = webhooks.id and attempts > 0
             and status in ('pending', 'scheduled', 'retrying')))
       order by due_at limit 1 for update skip locked)
     returning ${columns}`,
    [options.lease, options.leaseMs / 1000, options.except, options.freshOnly],
  )
  return rows[0]
}

/** The webhook, locked until the transaction ends; undefined when the lease is lost, or it is. */
export async function lockLeased(
  tx: Transaction,
  { id, lease }: { id: WebhookId; lease: string },
): Promise<WebhookRow | undefined> {
  const { rows } = await tx.query<WebhookRow>(
    `select ${columns} from webhooks where id = $1 and lease = $2 for update`,
    [id, lease],
  )
  return rows[0]
}

/** Gives the lease up; the webhook is due again with the first delivery that waits for it then. */
export async function releaseLease(tx: Transaction, id: WebhookId): Promise<void> {
  await tx.query(
    `update webhooks set lease = null, leased_until = null, due_at = (
       select next_attempt_at from deliveries
       where webhook_id = $1 and status in ('pending', 'scheduled', 'retrying')
       order by seq limit 1)
     where id = $1`,
    [id],
  )
}
