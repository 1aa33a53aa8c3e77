import { invalidParams, notFound } from '#lib/errors.ts'
import { parseId, type DeliveryId, type WebhookEventId } from '#lib/ids.ts'
import type { WebhooksContext } from './context.ts'
import {
  deliveryStatuses,
  findDelivery,
  listDeliveries,
  type DeliveryRow,
} from './deliveries-db.ts'
import { findEvent, listEvents, type EventRow, type Page } from './events-db.ts'
import { pageBytesMax, pageItemsMax } from './limits.ts'
import { findTopic, type TopicRef } from './topics-db.ts'

// What has been told of an app or an add-on, and how it arrived.

export type HistoryRequest = {
  topic: TopicRef
  descending: boolean
  limit: number
  /** Bounds in the direction of the order, inclusive; 0: open. */
  firstSeq: number
  lastSeq: number
}

/** A page of deliveries, by number; an empty status is any. */
export async function listDeliveriesOf(
  { pool }: WebhooksContext,
  request: HistoryRequest & { status: string },
): Promise<{ deliveries: DeliveryRow[]; hasMore: boolean }> {
  const { status } = request
  if (status !== '' && !deliveryStatuses.some((known) => known === status))
    throw invalidParams(`The status of a delivery is ${deliveryStatuses.join(', ')}.`)
  const page = pageOf(request)
  const topic = await findTopic(pool, request.topic)
  const rows = topic ? await listDeliveries(pool, topic.id, { ...page, status }) : []
  return { deliveries: rows.slice(0, request.limit), hasMore: rows.length > request.limit }
}

export async function getDelivery(
  { pool }: WebhooksContext,
  request: { topic: TopicRef; delivery: string },
): Promise<DeliveryRow> {
  const id = parseId<DeliveryId>(request.delivery)
  const topic = id && (await findTopic(pool, request.topic))
  const row = topic && (await findDelivery(pool, topic.id, id))
  if (!row) throw notFound('webhook delivery')
  return row
}

/** A page of events, by number; a shorter one when they are large. */
export async function listEventsOf(
  { pool }: WebhooksContext,
  request: HistoryRequest,
): Promise<{ events: EventRow[]; hasMore: boolean }> {
  const page = pageOf(request)
  const topic = await findTopic(pool, request.topic)
  const rows = topic ? await listEvents(pool, topic.id, page) : []
  const events: EventRow[] = []
  let bytes = 0
  for (const row of rows.slice(0, request.limit)) {
    bytes += Buffer.byteLength(JSON.stringify(row.payload))
    if (bytes > pageBytesMax && events.length > 0) break
    events.push(row)
  }
  return { events, hasMore: rows.length > events.length }
}

export async function getEvent(
  { pool }: WebhooksContext,
  request: { topic: TopicRef; event: string },
): Promise<EventRow> {
  const id = parseId<WebhookEventId>(request.event)
  const topic = id && (await findTopic(pool, request.topic))
  const row = topic && (await findEvent(pool, topic.id, id))
  if (!row) throw notFound('webhook event')
  return row
}

/** With one item more than is asked for, which tells whether there are more. */
function pageOf({ descending, limit, firstSeq, lastSeq }: HistoryRequest): Page {
  if (limit < 1 || limit > pageItemsMax)
    throw invalidParams(`Ask for 1 to ${pageItemsMax} at a time.`)
  const [lowest, highest] = descending ? [lastSeq, firstSeq] : [firstSeq, lastSeq]
  const open = Number.MAX_SAFE_INTEGER
  return { lowest, highest: highest === 0 ? open : highest, descending, limit: limit + 1 }
}
