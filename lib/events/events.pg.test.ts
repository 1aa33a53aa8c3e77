import type { NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { consumeEvents, ensureEventConsumer } from '#lib/events/event-stream.ts'
import { recordFact, startOutbox, type Outbox } from '#lib/events/outbox.ts'
import { newId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { migrate, outboxMigrations } from '#lib/migrate.ts'
import { connectNats } from '#lib/nats.ts'
import { openPool, transaction, type Pool } from '#lib/postgres.ts'
import { eventSubject } from '#lib/subjects.ts'
import type { Event } from '#proto/events/v1/events_pb.ts'
import { natsUrl } from '../../local-platform/service-env.ts'
import { eventually } from '../../test/support/eventually.ts'
import { createTestSchema } from '../../test/support/schemas.ts'

const engines = inject('engines')
let pool: Pool
let nats: NatsConnection
let outboxes: Outbox[] = []

beforeAll(async () => {
  const { url, schema } = await createTestSchema(engines)
  await migrate(url, schema, [outboxMigrations])
  pool = openPool({ url, schema, log: silentLog })
  const { layout, credentials } = engines
  // No other user may follow the facts with a consumer of any name.
  nats = await connectNats(natsUrl(layout, credentials, 'operator'), 'test', silentLog)
})

afterAll(async () => {
  await Promise.all(outboxes.map((outbox) => outbox.stop()))
  await nats.close()
  await pool.end()
})

/** How many facts are not published yet. */
const waiting = async (): Promise<number> => {
  const { rowCount } = await pool.query('select from outbox')
  return rowCount ?? 0
}

const record = (appId: string, name: string): Promise<void> =>
  transaction(pool, (tx) =>
    recordFact(tx, { case: 'appRenamed', value: { appId, name } as never }, new Date()),
  )

test('facts are published once and in order, by however many processes, and handled until they succeed', async () => {
  const appId = newId() as string
  const names = Array.from({ length: 250 }, (_, index) => `name-${index}`)
  for (const name of names) await record(appId, name)
  const seen: string[] = []
  let refusals = 2
  const handle = async ({ fact }: Event): Promise<void> => {
    if (fact.case !== 'appRenamed' || fact.value.appId !== appId) return
    if (fact.value.name === 'name-7' && refusals-- > 0) throw new Error('not now')
    seen.push(fact.value.name)
  }
  const durable = `test-${appId}`
  await ensureEventConsumer(nats, durable)
  // What is no event must not hold up those behind it.
  nats.publish(eventSubject('app_renamed'), 'x')
  const consumer = await consumeEvents(nats, {
    durable,
    facts: ['app_renamed'],
    handle,
    log: silentLog,
  })
  outboxes = [startOutbox(pool, nats, silentLog), startOutbox(pool, nats, silentLog)]
  await eventually(() => expect(seen).toHaveLength(names.length))
  expect(seen).toEqual(names)
  expect(await waiting()).toBe(0)
  await consumer.stop()

  // A consumer that comes back goes on after what it has handled.
  await record(appId, 'later')
  const again = await consumeEvents(nats, {
    durable,
    facts: ['app_renamed'],
    handle,
    log: silentLog,
  })
  await eventually(() => expect(seen.at(-1)).toBe('later'))
  expect(seen).toHaveLength(names.length + 1)
  await again.stop()
})

test('a fact of a transaction that rolled back is never told', async () => {
  const appId = newId() as string
  const failing = transaction(pool, async (tx) => {
    await recordFact(
      tx,
      { case: 'appRenamed', value: { appId, name: 'ghost' } as never },
      new Date(),
    )
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  expect(await waiting()).toBe(0)
})
