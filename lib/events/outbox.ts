import { create, toBinary } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { jetstream } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { deleteEvents, insertEvent, lockOldestEvents } from '#lib/events/outbox-db.ts'
import { newId } from '#lib/ids.ts'
import type { Log } from '#lib/log.ts'
import { transaction, type Pool, type Transaction } from '#lib/postgres.ts'
import { eventSubject } from '#lib/subjects.ts'
import { EventSchema, type Event } from '#proto/events/v1/events_pb.ts'

export type Fact = Exclude<Event['fact'], { case: undefined }>

/**
 * Without a wake-up the outbox is looked at this often; another process may have died with rows.
 */
const pollMs = 1_000
const batchMax = 100
const publishTimeoutMs = 5_000

/**
 * Writes a fact into the outbox, in the transaction that makes it true. Call the outbox's wake()
 * after the commit. Facts that are written one after the other under one lock (an app's, an
 * add-on's) are published in that order; of two transactions that run side by side the one that
 * began to write first may commit last, and its fact then comes after the other's.
 */
export async function recordFact(tx: Transaction, fact: Fact, time: Date): Promise<void> {
  const id = newId()
  const event = create(EventSchema, { id, time: timestampFromDate(time), fact })
  const subject = eventSubject(snakeCase(fact.case))
  await insertEvent(tx, { id, subject, event: toBinary(EventSchema, event) })
}

function snakeCase(camel: string): string {
  return camel.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

export type Outbox = {
  /** Publish now: there is something new. */
  wake: () => void
  /** Stops publishing after the batch in flight; rows that are left wait for the next start. */
  stop: () => Promise<void>
}

/**
 * Publishes the schema's outbox to JetStream, oldest first, each row until JetStream has it.
 * A crash between publishing and deleting publishes again; JetStream drops the second by its id if
 * it comes within the stream's duplicate window, 2 minutes. After a longer outage consumers see the
 * fact twice: they are idempotent.
 */
export function startOutbox(pool: Pool, nats: NatsConnection, log: Log): Outbox {
  const stream = jetstream(nats, { timeout: publishTimeoutMs })
  let stopped = false
  let wake = (): void => {}
  let woken = false

  const publishBatch = (): Promise<number> =>
    transaction(pool, async (tx) => {
      const rows = await lockOldestEvents(tx, batchMax)
      for (const row of rows) await stream.publish(row.subject, row.event, { msgID: row.id })
      if (rows.length > 0)
        await deleteEvents(
          tx,
          rows.map(({ seq }) => seq),
        )
      return rows.length
    })

  const run = async (): Promise<void> => {
    while (!stopped) {
      woken = false
      const published = await publishBatch().catch((error: unknown) => {
        log.warn({ err: error }, 'outbox could not be published, trying again')
        return 0
      })
      if (published === batchMax || woken || stopped) continue
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pollMs)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  const running = run()
  return {
    wake: () => {
      woken = true
      wake()
    },
    stop: async () => {
      stopped = true
      wake()
      await running
    },
  }
}
