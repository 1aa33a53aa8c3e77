import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type {
  AttemptSchema,
  DeliverySchema,
  EventSchema,
  WebhookSchema,
} from '#proto/webhooks/v1/webhooks_pb.ts'
import type { DeliveryRow } from './deliveries-db.ts'
import type { EventRow } from './events-db.ts'
import type { Webhook } from './webhooks.ts'

// This service's nouns in the words of proto/webhooks/v1.

export function webhookMessage(webhook: Webhook): MessageInitShape<typeof WebhookSchema> {
  const { id, include, level, url, createdAt, updatedAt } = webhook
  return {
    ...{ id, include, level, url },
    createdAt: timestampFromDate(createdAt),
    updatedAt: timestampFromDate(updatedAt),
  }
}

export function deliveryMessage(row: DeliveryRow): MessageInitShape<typeof DeliverySchema> {
  const { id, eventId, webhookId, status, attempts: numAttempts, nextAttemptAt } = row
  const lastAttempt = attemptMessage(row)
  return {
    ...{ id, eventId, webhookId, status, numAttempts },
    seq: BigInt(row.seq),
    eventInclude: row.include,
    webhookLevel: row.level,
    ...(lastAttempt && { lastAttempt }),
    ...(nextAttemptAt && { nextAttemptAt: timestampFromDate(nextAttemptAt) }),
    createdAt: timestampFromDate(row.createdAt),
    updatedAt: timestampFromDate(row.updatedAt),
  }
}

function attemptMessage(row: DeliveryRow): MessageInitShape<typeof AttemptSchema> | undefined {
  if (row.attemptId === null) return undefined
  return {
    id: row.attemptId,
    status: row.attemptStatus,
    ...(row.attemptCode !== null && { code: row.attemptCode }),
    errorClass: row.attemptError,
    createdAt: timestampFromDate(row.attemptBeganAt),
    updatedAt: timestampFromDate(row.attemptEndedAt ?? row.attemptBeganAt),
  }
}

export function eventMessage(row: EventRow): MessageInitShape<typeof EventSchema> {
  const { id, sequence, include, payload, createdAt } = row
  return {
    ...{ id, include },
    seq: BigInt(sequence),
    payload: JSON.stringify(payload),
    createdAt: timestampFromDate(createdAt),
  }
}
