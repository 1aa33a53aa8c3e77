import { createHmac } from 'node:crypto'
import { must } from '#lib/assert.ts'
import { backoffMs } from '#lib/backoff.ts'
import { newId } from '#lib/ids.ts'
import { isoSeconds } from '#lib/platform-api/time.ts'
import { transaction, type Pool } from '#lib/postgres.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import {
  beginAttempt,
  endAttempt,
  findFirstWaiting,
  type DeliveryRow,
  type DeliveryStatus,
} from './deliveries-db.ts'
import { findEvent, type EventRow } from './events-db.ts'
import { retryMsMax, retryWaitMsMax } from './limits.ts'
import { openReceiver } from './receiver.ts'
import type { ReceiverHttp, Reply } from './receiver-http.ts'
import { leaseDueWebhook, lockLeased, releaseLease, type WebhookRow } from './webhooks-db.ts'

const userAgent = 'Plexus-Webhooks/v1'

/** What attempts are made with. */
export type AttemptContext = {
  pool: Pool
  secrets: Secrets
  http: ReceiverHttp
  /** How soon a delivery is tried again the first time, in milliseconds. */
  retryMs: number
  /** How long after a kill -9 another process sends again what was under way, in milliseconds. */
  leaseMs: number
}

/** An attempt that is written down and has not been sent. */
export type Attempt = {
  id: string
  lease: string
  webhook: WebhookRow
  delivery: DeliveryRow
  event: EventRow
}

/**
 * Takes a webhook with something due under a lease and writes the attempt down, before anything is
 * sent: whoever finds it unended after the lease sends the same delivery again. One delivery of a
 * webhook is under way at a time, which is what keeps them in order.
 *
 * @param options.except webhooks that this process has under way
 * @param options.freshOnly leaves those whose delivery has failed before
 */
export async function prepareAttempt(
  { pool, leaseMs }: AttemptContext,
  options: { except: string[]; freshOnly: boolean },
): Promise<Attempt | undefined> {
  const [id, lease] = [newId() as string, newId() as string]
  return transaction(pool, async (tx) => {
    const webhook = await leaseDueWebhook(tx, { lease, leaseMs, ...options })
    if (!webhook) return undefined
    const delivery = must(await findFirstWaiting(tx, webhook.id), 'delivery of a due webhook')
    const event = must(await findEvent(tx, webhook.topicId, delivery.eventId), 'event')
    await beginAttempt(tx, { id: delivery.id, attemptId: id })
    return { id, lease, webhook, delivery, event }
  })
}

/** Posts what was prepared: the event with the ids of this delivery, signed. */
export async function sendAttempt(
  { secrets, http }: AttemptContext,
  attempt: Attempt,
  signal: AbortSignal,
): Promise<Reply> {
  const { url, secret, authorization } = openReceiver(secrets, attempt.webhook)
  const body = JSON.stringify(renderBody(attempt))
  const headers = {
    ...(authorization && { authorization }),
    'content-type': 'application/json',
    'heroku-webhook-hmac-sha256': createHmac('sha256', secret).update(body).digest('base64'),
    'user-agent': userAgent,
  }
  return http.post(url, headers, body, signal)
}

function renderBody({ id, webhook, delivery, event }: Attempt) {
  const createdAt = isoSeconds(event.createdAt)
  return {
    ...event.payload,
    id: event.id,
    created_at: createdAt,
    updated_at: createdAt,
    sequence: event.sequence,
    webhook_metadata: {
      attempt: { id },
      delivery: { id: delivery.id },
      event: { id: event.id, include: event.include },
      webhook: { id: webhook.id },
    },
  }
}

/**
 * Writes down what came of an attempt, and when the webhook is due next. False when the lease was
 * lost: another process has taken the delivery up, and writes down what comes of that.
 */
export async function settleAttempt(
  { pool, retryMs }: AttemptContext,
  { lease, webhook, delivery }: Attempt,
  { code, error }: Reply,
): Promise<boolean> {
  const succeeded = code !== null && code >= 200 && code < 300
  const now = new Date()
  return transaction(pool, async (tx) => {
    const current = await lockLeased(tx, { id: webhook.id, lease })
    if (!current) return false
    const status = nextStatus(succeeded, current, delivery, now)
    // Changed while it was under way: where it leads now is tried at once.
    const changed = current.updatedAt.getTime() !== webhook.updatedAt.getTime()
    const waitMs = changed
      ? 0
      : backoffMs(delivery.attempts + 1, { firstMs: retryMs, maxMs: retryWaitMsMax })
    await endAttempt(tx, {
      ...{ id: delivery.id, status, succeeded, code, error },
      nextAttemptAt: status === 'retrying' ? new Date(now.getTime() + waitMs) : null,
    })
    await releaseLease(tx, webhook.id)
    return true
  })
}

function nextStatus(
  succeeded: boolean,
  { level }: Pick<WebhookRow, 'level'>,
  { createdAt }: DeliveryRow,
  now: Date,
): DeliveryStatus {
  if (succeeded) return 'succeeded'
  const outOfTime = now.getTime() - createdAt.getTime() >= retryMsMax
  return level === 'notify' || outOfTime ? 'failed' : 'retrying'
}
