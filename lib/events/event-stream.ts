import { fromBinary } from '@bufbuild/protobuf'
import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type JsMsg,
} from '@nats-io/jetstream'
import { nanos, type NatsConnection } from '@nats-io/transport-node'
import { backoffMs } from '#lib/backoff.ts'
import type { Log } from '#lib/log.ts'
import { allEvents, durables, eventsStream, eventSubject } from '#lib/subjects.ts'
import { EventSchema, type Event } from '#proto/events/v1/events_pb.ts'

const dayMs = 24 * 3600 * 1000
/** A consumer that is away for longer misses events: what it must know it also looks up itself. */
const keepMs = 7 * dayMs
const keepBytesMax = 256 * 1024 * 1024
/** A crash may publish an event twice within this time without any consumer seeing it twice. */
const duplicateWindowMs = 2 * 60 * 1000
/** An event whose handler has not ended by then is delivered again. */
const ackWaitMs = 30_000
const redeliverBackoff = { firstMs: 200, maxMs: 30_000 }

/**
 * Makes the stream of events and the consumers of those who follow it, or brings their settings up
 * to date. Part of migrating, by the operator: whoever may make a consumer may have any event
 * delivered to any subject, as a request of his own making.
 */
export async function ensureEventStream(nats: NatsConnection): Promise<void> {
  const manager = await jetstreamManager(nats)
  const config = {
    subjects: [allEvents],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.Old,
    max_age: nanos(keepMs),
    max_bytes: keepBytesMax,
    duplicate_window: nanos(duplicateWindowMs),
  }
  const known = await manager.streams.list().next()
  if (known.some((stream) => stream.config.name === eventsStream))
    await manager.streams.update(eventsStream, config)
  else await manager.streams.add({ name: eventsStream, ...config })
  for (const durable of Object.values(durables)) await ensureEventConsumer(nats, durable)
}

/** Makes a durable consumer of all events, from the oldest on; one that is there stays as it is. */
export async function ensureEventConsumer(nats: NatsConnection, durable: string): Promise<void> {
  const manager = await jetstreamManager(nats)
  await manager.consumers.add(eventsStream, {
    durable_name: durable,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: nanos(ackWaitMs),
    max_ack_pending: 1,
    // Several filters in one consumer need NATS 2.10; Debian 12 has 2.9, so all are let through.
    filter_subject: allEvents,
  })
}

export type EventConsumer = { stop: () => Promise<void> }

/**
 * Hands every event of these facts ("app_created", …) to `handle`, one at a time and in order,
 * from where the durable consumer of that name stopped last. An event is done when `handle`
 * returns; when it throws, the event comes again after a back-off, for ever: a handler that cannot
 * use an event must say so and return. Handlers must be idempotent. What is no event at all is
 * reported and passed over, or it would hold up everything behind it.
 */
export async function consumeEvents(
  nats: NatsConnection,
  options: { durable: string; facts: string[]; handle: (event: Event) => Promise<void>; log: Log },
): Promise<EventConsumer> {
  const { durable, facts, handle, log } = options
  const wanted = new Set(facts.map(eventSubject))
  const consumer = await jetstream(nats).consumers.get(eventsStream, durable)
  const messages = await consumer.consume({ max_messages: 10 })
  const running = (async () => {
    for await (const message of messages) await deliver(message, wanted, handle, log)
  })()
  return {
    stop: async () => {
      await messages.close()
      await running
    },
  }
}

async function deliver(
  message: JsMsg,
  wanted: Set<string>,
  handle: (event: Event) => Promise<void>,
  log: Log,
): Promise<void> {
  const event = wanted.has(message.subject) ? decode(message, log) : undefined
  try {
    if (event) await handle(event)
    message.ack()
  } catch (error) {
    const tries = message.info.deliveryCount
    log.error({ err: error, subject: message.subject, tries }, 'event could not be handled')
    message.nak(backoffMs(tries, redeliverBackoff))
  }
}

function decode(message: JsMsg, log: Log): Event | undefined {
  try {
    return fromBinary(EventSchema, message.data)
  } catch (error) {
    const { subject, seq } = message
    log.error({ err: error, subject, seq, alert: true }, 'what was published is no event')
    return undefined
  }
}
