import { must } from '#lib/assert.ts'
import { isoTime, isoTimeOrNull } from '#lib/platform-api/time.ts'
import type { Delivery, Event, Webhook } from '#proto/webhooks/v1/webhooks_pb.ts'
import type { WebhookTarget } from '../webhook-target.ts'

/** Heroku's webhook: where it leads and what it is told, and of what it shows there nothing. */
export function renderWebhook(webhook: Webhook | undefined, { owner }: WebhookTarget) {
  const { id, include, level, url, createdAt, updatedAt } = must(webhook, 'webhook')
  return {
    ...owner,
    created_at: isoTime(createdAt),
    id,
    include,
    level,
    updated_at: isoTime(updatedAt, createdAt),
    url,
  }
}

export function renderDelivery(delivery: Delivery) {
  const { id, status, numAttempts, lastAttempt, createdAt } = delivery
  return {
    created_at: isoTime(createdAt),
    event: { id: delivery.eventId, include: delivery.eventInclude },
    id,
    last_attempt: lastAttempt
      ? {
          code: lastAttempt.code ?? null,
          created_at: isoTime(lastAttempt.createdAt),
          error_class: lastAttempt.errorClass || null,
          id: lastAttempt.id,
          status: lastAttempt.status,
          updated_at: isoTime(lastAttempt.updatedAt, lastAttempt.createdAt),
        }
      : null,
    next_attempt_at: isoTimeOrNull(delivery.nextAttemptAt),
    num_attempts: numAttempts,
    status,
    updated_at: isoTime(delivery.updatedAt, createdAt),
    webhook: { id: delivery.webhookId, level: delivery.webhookLevel },
  }
}

export function renderEvent({ id, include, payload, createdAt }: Event) {
  return {
    created_at: isoTime(createdAt),
    id,
    include,
    payload: JSON.parse(payload) as object,
    updated_at: isoTime(createdAt),
  }
}
