import { derivedId, newId, type DeliveryId, type WebhookEventId } from '#lib/ids.ts'
import { isoSeconds } from '#lib/platform-api/time.ts'
import { transaction, type Transaction } from '#lib/postgres.ts'
import type { WebhooksContext } from './context.ts'
import { countWaiting, insertDelivery, insertRefusedDelivery } from './deliveries-db.ts'
import { hasEvent, insertEvent, type EventRow, type Payload } from './events-db.ts'
import { waitingPerWebhookMax } from './limits.ts'
import type { Notice } from './notice.ts'
import { hasTopics, lockTopics, setLastSequence, type TopicRow } from './topics-db.ts'
import { listWebhooks, setDue, type WebhookRow } from './webhooks-db.ts'

const version = 'application/vnd.heroku+json; version=3'

/**
 * Writes an event for each topic with a webhook that wants to know, and a delivery for each of
 * these webhooks. Said again of the same fact it changes nothing. A webhook is not told of what
 * happened before it was there.
 *
 * @throws PlexusError when apps, which is asked for names, does not answer.
 */
export async function queueNotice(
  context: WebhooksContext,
  notice: Notice,
  fact: { id: string; time: Date },
): Promise<void> {
  const { pool } = context
  if (!(await hasTopics(pool, notice.audience))) return
  const payload = await renderPayload(context, notice, fact.time)
  await transaction(pool, async (tx) => {
    for (const topic of await lockTopics(tx, notice.audience)) {
      const id = derivedId<WebhookEventId>(`webhook event ${fact.id} ${topic.id}`)
      await queueForTopic(tx, topic, {
        ...{ id, topicId: topic.id, sequence: topic.lastSequence + 1 },
        ...{ include: notice.include, payload, createdAt: fact.time },
      })
    }
  })
}

async function renderPayload(
  { apps }: WebhooksContext,
  { action, actor, resource, namesNeeded, render }: Notice,
  time: Date,
): Promise<Payload> {
  const names = new Map<string, string>()
  if (namesNeeded.length > 0)
    for (const { id, name } of (await apps.filterApps({ appIds: namesNeeded })).apps)
      names.set(id, name)
  // An app that has gone meanwhile has no name any more.
  const { data, previous } = render((appId) => names.get(appId) ?? '')
  return {
    ...{ action, actor, data, resource, version },
    previous_data: previous ? whatChanged(previous, data) : {},
    published_at: isoSeconds(time),
  }
}

/** The fields of a resource that were different before, with the values that they had. */
function whatChanged(before: object, now: object): object {
  const values = new Map(Object.entries(now))
  return Object.fromEntries(
    Object.entries(before).filter(
      ([name, value]) => JSON.stringify(value) !== JSON.stringify(values.get(name)),
    ),
  )
}

async function queueForTopic(tx: Transaction, topic: TopicRow, event: EventRow): Promise<void> {
  const webhooks = (await listWebhooks(tx, topic.id)).filter(
    ({ include, createdAt }) =>
      include.includes(event.include) && createdAt.getTime() <= event.createdAt.getTime(),
  )
  if (webhooks.length === 0 || (await hasEvent(tx, event.id))) return
  await insertEvent(tx, event)
  await setLastSequence(tx, topic.id, event.sequence)
  for (const webhook of webhooks) await queueDelivery(tx, webhook, event)
  await setDue(
    tx,
    webhooks.map(({ id }) => id),
  )
}

async function queueDelivery(
  tx: Transaction,
  webhook: WebhookRow,
  { id: eventId, topicId }: EventRow,
): Promise<void> {
  const id = newId<DeliveryId>()
  const row = { id, topicId, webhookId: webhook.id, eventId, createdAt: new Date() }
  if ((await countWaiting(tx, webhook.id)) < waitingPerWebhookMax) await insertDelivery(tx, row)
  else await insertRefusedDelivery(tx, { ...row, attemptId: newId(), error: 'TooManyWaiting' })
}
