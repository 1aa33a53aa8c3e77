import { timestampDate } from '@bufbuild/protobuf/wkt'
import type { NatsConnection } from '@nats-io/transport-node'
import { consumeEvents, type EventConsumer } from '#lib/events/event-stream.ts'
import { durables } from '#lib/subjects.ts'
import type { Event } from '#proto/events/v1/events_pb.ts'
import type { WebhooksContext } from './context.ts'
import { noticeOf, toldFacts } from './notice.ts'
import { queueNotice } from './queue-notice.ts'
import { endTopicsOfAddon, endTopicsOfApp } from './topics-db.ts'

/** Queues what happens for the webhooks that want to know, in the order of the facts. */
export function followFacts(
  nats: NatsConnection,
  context: WebhooksContext,
): Promise<EventConsumer> {
  return consumeEvents(nats, {
    durable: durables.webhooks,
    facts: toldFacts,
    handle: (event) => takeFact(context, event),
    log: context.log,
  })
}

/** Queues one fact; its last one ends what is told of an app or an add-on. Idempotent. */
export async function takeFact(context: WebhooksContext, { id, time, fact }: Event): Promise<void> {
  const notice = noticeOf(fact, context.apiUrl)
  if (notice)
    await queueNotice(context, notice, { id, time: time ? timestampDate(time) : new Date() })
  if (fact.case === 'appDestroyed') await endTopicsOfApp(context.pool, fact.value.appId)
  if (fact.case === 'addonChanged' && fact.value.state === 'deprovisioned')
    await endTopicsOfAddon(context.pool, fact.value.addonId)
  context.wakeSender()
}
