import { create } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from 'vitest'
import { must } from '#lib/assert.ts'
import { newId, type AppId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { migrate } from '#lib/migrate.ts'
import { openPool, type Pool } from '#lib/postgres.ts'
import { loadSecrets } from '#lib/secrets/secrets.ts'
import { EventSchema, type Event } from '#proto/events/v1/events_pb.ts'
import { eventually } from '../../test/support/eventually.ts'
import { createTestSchema } from '../../test/support/schemas.ts'
import {
  isSigned,
  startWebhookReceiver,
  type WebhookReceiver,
} from '../../test/support/webhook-receiver.ts'
import { prepareAttempt, sendAttempt, settleAttempt, type AttemptContext } from './attempt.ts'
import type { WebhooksContext } from './context.ts'
import { takeFact } from './follow-facts.ts'
import { getDelivery, listDeliveriesOf, listEventsOf } from './history.ts'
import { deleteOld } from './housekeeping.ts'
import { eventsPerTopicMax, waitingPerWebhookMax } from './limits.ts'
import { openReceiverHttp, type ReceiverHttp } from './receiver-http.ts'
import { migrations } from './schema.ts'
import { startSender, type Sender } from './sender.ts'
import type { TopicRef } from './topics-db.ts'
import { createWebhook, deleteWebhook, listWebhooksOf, updateWebhook } from './webhooks.ts'

const engines = inject('engines')
const secret = 'a secret of the test'
let pool: Pool
let http: ReceiverHttp
let context: WebhooksContext
let sending: AttemptContext
let receiver: WebhookReceiver
let topic: TopicRef
let senders: Sender[] = []

beforeAll(async () => {
  const { url, schema } = await createTestSchema(engines)
  await migrate(url, schema, migrations)
  pool = openPool({ url, schema, log: silentLog })
  http = openReceiverHttp({ mayBeLocal: true, answerMs: 300 })
  const secrets = await loadSecrets(engines.masterKeyFile)
  // Nothing in here is told of add-ons, whose apps have names to be asked for.
  const nobody = () => Promise.reject(new Error('nobody is asked in these tests'))
  context = {
    ...{ pool, secrets, mayBeLocal: true, log: silentLog, apiUrl: 'http://localhost:4000' },
    apps: { filterApps: nobody },
    broker: { getPartnerAddon: nobody },
    wakeSender: () => senders.forEach(({ wake }) => wake()),
  }
  sending = { pool, secrets, http, retryMs: 20, leaseMs: 600 }
})

beforeEach(async () => {
  receiver = await startWebhookReceiver()
  const appId = newId<AppId>()
  topic = { kind: 'app', resourceId: appId, appId }
})

afterEach(async () => {
  await Promise.all(senders.map((sender) => sender.stop()))
  senders = []
  await receiver.close()
  await pool.query('truncate topics cascade')
})

afterAll(async () => {
  await http.close()
  await pool.end()
})

const any = { except: [], freshOnly: false }

/** Several stand for as many processes. */
const send = (processes = 1): void => {
  for (let n = 0; n < processes; n++)
    senders.push(startSender({ ...sending, stopMs: 2_000, log: silentLog }))
}

const subscribe = (level: string, include = ['api:release']) =>
  createWebhook(context, {
    ...{ topic, include, level, secret, url: receiver.url, authorization: 'Bearer of the test' },
  })

function released(version: number, time = new Date()): Event {
  const { appId } = topic
  const createdAt = timestampFromDate(time)
  const release = { id: newId() as string, appId, appName: 'shop', version, createdAt }
  return create(EventSchema, {
    id: newId() as string,
    time: createdAt,
    fact: { case: 'releaseCreated', value: { appId, version, release } },
  })
}

/** Queues the releases with these versions. */
const release = async (...versions: number[]): Promise<void> => {
  for (const version of versions) await takeFact(context, released(version))
}

const versions = () => receiver.posts.map(({ told }) => told.data['version'])
const list = (status = '') =>
  listDeliveriesOf(context, {
    ...{ topic, status, descending: false, limit: 1_000, firstSeq: 0, lastSeq: 0 },
  })
const outcomes = async () =>
  (await list()).deliveries.map(({ status, attempts }) => `${status} ${attempts}`)

test('one after the other: what is not accepted is sent again before the next, signed each time', async () => {
  await subscribe('sync')
  receiver.answers = [500, 'reset', 204, 'hang', { status: 302, headers: { location: '/x' } }]
  await release(1, 2, 3)
  send(2)
  await eventually(async () =>
    expect(await outcomes()).toEqual(['succeeded 3', 'succeeded 3', 'succeeded 1']),
  )
  expect(versions()).toEqual([1, 1, 1, 2, 2, 2, 3])
  for (const post of receiver.posts) expect(isSigned(post, secret)).toBe(true)
  expect(receiver.posts[0]?.headers).toMatchObject({
    authorization: 'Bearer of the test',
    'content-type': 'application/json',
  })
  const ids = (key: 'delivery' | 'attempt' | 'event') =>
    new Set(receiver.posts.map(({ told }) => told.webhook_metadata[key].id)).size
  expect([ids('event'), ids('delivery'), ids('attempt')]).toEqual([3, 3, 7])
  expect(receiver.posts.map(({ told }) => told.sequence)).toEqual([1, 1, 1, 2, 2, 2, 3])
})

test('level notify sends once, and the history says what came of it', async () => {
  await subscribe('notify')
  receiver.answers = [500, 'reset', 'hang', 301, 200]
  await release(1, 2, 3, 4, 5)
  send()
  await eventually(async () => expect((await list('succeeded')).deliveries).toHaveLength(1))
  expect(versions()).toEqual([1, 2, 3, 4, 5])
  const { deliveries } = await list()
  expect(deliveries.map((row) => [row.status, row.attemptCode, row.attemptError])).toEqual([
    ['failed', 500, ''],
    ['failed', null, 'ConnectionReset'],
    ['failed', null, 'Timeout'],
    ['failed', 301, ''],
    ['succeeded', 200, ''],
  ])
  await receiver.close()
  await release(6)
  await eventually(async () =>
    expect((await list('failed')).deliveries.at(-1)?.attemptError).toBe('ConnectionRefused'),
  )
})

test.each(['sync', 'notify'])(
  'what a dead process had sent at level %s and not written down, another one sends again',
  async (level) => {
    await subscribe(level)
    await release(1, 2)
    const attempt = must(await prepareAttempt(sending, any), 'attempt')
    await sendAttempt(sending, attempt, new AbortController().signal)
    // Here it dies. Until its lease has run out nobody else has a delivery of this webhook.
    expect(await prepareAttempt(sending, any)).toBeUndefined()
    send(2)
    await eventually(async () => expect(await outcomes()).toEqual(['succeeded 2', 'succeeded 1']))
    expect(versions()).toEqual([1, 1, 2])
    const [first, second] = receiver.posts.map(({ told }) => told.webhook_metadata)
    expect(second?.delivery).toEqual(first?.delivery)
    expect(second?.attempt).not.toEqual(first?.attempt)
    // One that was only thought dead writes nothing over what has come of it since.
    expect(await settleAttempt(sending, attempt, { code: 500, error: '' })).toBe(false)
    expect(await outcomes()).toEqual(['succeeded 2', 'succeeded 1'])
  },
)

test('where receivers that fail have taken their share, only fresh deliveries are begun', async () => {
  const failing = await subscribe('sync')
  await release(1)
  const attempt = must(await prepareAttempt(sending, any), 'attempt')
  expect(attempt.webhook.id).toBe(failing.webhook.id)
  await settleAttempt(sending, attempt, { code: 500, error: '' })
  const { webhook: fresh } = await subscribe('sync')
  await release(2)
  // Both are due, the one that has failed before for longer.
  await pool.query(`update webhooks set due_at = now() - interval '1 hour' where id = $1`, [
    failing.webhook.id,
  ])
  const begun = await prepareAttempt(sending, { except: [], freshOnly: true })
  expect(begun?.webhook.id).toBe(fresh.id)
  expect(await prepareAttempt(sending, { except: [], freshOnly: true })).toBeUndefined()
  expect((await prepareAttempt(sending, any))?.webhook.id).toBe(failing.webhook.id)
})

test('what a stop cuts off is no failure of the receiver, and is sent again', async () => {
  await subscribe('notify')
  await release(1)
  receiver.answers = ['hang']
  const patient = openReceiverHttp({ mayBeLocal: true, answerMs: 60_000 })
  const sender = startSender({ ...sending, http: patient, stopMs: 50, log: silentLog })
  await eventually(() => expect(receiver.posts).toHaveLength(1))
  await sender.stop()
  await patient.close()
  expect(await outcomes()).toEqual(['scheduled 1'])
  send()
  await eventually(async () => expect(await outcomes()).toEqual(['succeeded 2']))
})

test('after 72 hours a delivery is tried once more, and then the next has its turn', async () => {
  await subscribe('sync')
  await release(1, 2, 3)
  await pool.query(
    `update deliveries set created_at = now() - interval '73 hours'
     where seq < (select max(seq) from deliveries)`,
  )
  receiver.answers = [500, 500, 500]
  send()
  await eventually(async () =>
    expect(await outcomes()).toEqual(['failed 1', 'failed 1', 'succeeded 2']),
  )
  expect(versions()).toEqual([1, 2, 3, 3])
})

test('between two tries the wait doubles; another url is tried at once', async () => {
  const { webhook } = await subscribe('sync')
  receiver.otherwise = 500
  await release(1)
  const slow = { ...sending, retryMs: 60_000 }
  senders.push(startSender({ ...slow, stopMs: 2_000, log: silentLog }))
  await eventually(async () => expect(await outcomes()).toEqual(['retrying 1']))
  const [row] = (await list()).deliveries
  const waitMs = must(row?.nextAttemptAt, 'next attempt').getTime() - Date.now()
  expect(waitMs).toBeGreaterThan(40_000)
  expect(waitMs).toBeLessThanOrEqual(60_000)
  const { id } = must(row, 'delivery')
  expect(await getDelivery(context, { topic, delivery: id })).toEqual(row)

  receiver.otherwise = 204
  await updateWebhook(context, { topic, webhook: webhook.id }, { url: `${receiver.url}?other` })
  await eventually(async () => expect(await outcomes()).toEqual(['succeeded 2']))
})

test('each fact is told once, to who asked for its kind before it happened', async () => {
  const before = released(1, new Date(Date.now() - 1))
  await subscribe('sync')
  await subscribe('sync', ['api:addon', 'dyno'])
  const fact = released(2)
  for (const event of [before, fact, fact]) await takeFact(context, event)
  await takeFact(context, create(EventSchema, { id: newId() as string, fact: fact.fact }))
  send(2)
  await eventually(async () => expect(await outcomes()).toEqual(['succeeded 1', 'succeeded 1']))
  expect(versions()).toEqual([2, 2])
})

test('the end of an app is the last that is told of it; then nothing is left', async () => {
  const { webhook } = await subscribe('sync', ['api:app', 'api:release'])
  const { appId } = topic
  const time = timestampFromDate(new Date())
  const app = { id: appId, name: 'shop', owner: { id: newId() as string }, createdAt: time }
  const fact = { case: 'appDestroyed' as const, value: { appId, name: 'shop', app } }
  await takeFact(context, create(EventSchema, { id: newId() as string, time, fact }))
  await release(1)
  await deleteOld(pool)
  // Nobody can see them any more, and what waits still arrives.
  expect(await listWebhooksOf(context, topic)).toEqual([])
  await expect(subscribe('sync')).rejects.toThrow("Couldn't find that app")
  send()
  await eventually(() => expect(receiver.posts).toHaveLength(1))
  expect(receiver.posts[0]?.told).toMatchObject({ action: 'destroy', data: { name: 'shop' } })
  await eventually(async () => {
    await deleteOld(pool)
    for (const table of ['topics', 'webhooks', 'events', 'deliveries'])
      expect((await pool.query(`select from ${table}`)).rowCount).toBe(0)
  })
  const heard = receiver.posts.map(({ told }) => told.webhook_metadata.webhook.id)
  expect(heard).toEqual([webhook.id])
})

test('what waits is bounded: beyond it a delivery fails at once and says so', async () => {
  await subscribe('sync')
  await release(1)
  await pool.query(
    `insert into deliveries (id, topic_id, webhook_id, event_id, status, created_at, updated_at)
     select gen_random_uuid(), topic_id, webhook_id, event_id, 'pending', now(), now()
     from deliveries, generate_series(2, $1)`,
    [waitingPerWebhookMax],
  )
  await release(2)
  const { deliveries } = await list('failed')
  expect(deliveries.map((row) => [row.attempts, row.attemptError])).toEqual([[0, 'TooManyWaiting']])
})

test('history is bounded in number and age, and keeps what still waits', async () => {
  const { webhook } = await subscribe('sync')
  await release(1)
  const extra = 10
  await pool.query(
    `with made as (
       insert into events (id, topic_id, sequence, include, payload, created_at)
       select gen_random_uuid(), topic_id, n, include, payload, created_at
       from events, generate_series(2, $1::int) n returning id, topic_id)
     insert into deliveries (id, topic_id, webhook_id, event_id, status, created_at, updated_at)
     select gen_random_uuid(), topic_id, $2, id, 'succeeded', now(), now() from made`,
    [eventsPerTopicMax + extra, webhook.id],
  )
  await pool.query('update topics set last_sequence = $1', [eventsPerTopicMax + extra])
  const left = async () => {
    await deleteOld(pool)
    const { rows } = await pool.query<{ sequence: string }>(
      'select sequence from events order by sequence',
    )
    return rows.map(({ sequence }) => Number(sequence))
  }
  const newest = Array.from({ length: eventsPerTopicMax }, (_, n) => n + extra + 1)
  expect(await left()).toEqual([1, ...newest])
  await pool.query(
    `update events set created_at = now() - interval '31 days' where sequence % 2 = 0`,
  )
  expect(await left()).toEqual([1, ...newest.filter((sequence) => sequence % 2 === 1)])
  const page = { topic, descending: true, limit: 2, firstSeq: 0, lastSeq: 0 }
  const { events, hasMore } = await listEventsOf(context, page)
  expect({ hasMore, sequences: events.map(({ sequence }) => sequence) }).toEqual({
    hasMore: true,
    sequences: [1_009, 1_007],
  })
})

test('what leads to a receiver and what shows it who sends is sealed', async () => {
  await subscribe('sync')
  const { rows } = await pool.query('select * from webhooks')
  const text = JSON.stringify(rows)
  for (const plain of [secret, receiver.url, 'Bearer']) expect(text).not.toContain(plain)
})

test('a webhook that is removed is told nothing more, and there are ten at most', async () => {
  receiver.otherwise = 500
  const { webhook } = await subscribe('sync')
  await release(1)
  send()
  await eventually(() => expect(receiver.posts.length).toBeGreaterThan(2))
  await deleteWebhook(context, { topic, webhook: webhook.id })
  for (let n = 0; n < 10; n++) await subscribe('notify')
  await expect(subscribe('notify')).rejects.toThrow('10 webhooks already')
  const posts = receiver.posts.length
  await release(2)
  await eventually(() => expect(versions().filter((version) => version === 2)).toHaveLength(10))
  expect(receiver.posts.length - posts).toBeLessThanOrEqual(11)
})

test('an address of this machine is not reached, whatever name leads there', async () => {
  const guarded = openReceiverHttp({ mayBeLocal: false, answerMs: 1_000 })
  for (const host of ['127.0.0.1', 'localhost'])
    expect(
      await guarded.post(
        `http://${host}:${receiver.port}/`,
        {},
        '{}',
        new AbortController().signal,
      ),
    ).toEqual({ code: null, error: 'LocalAddress' })
  await guarded.close()
  expect(receiver.posts).toEqual([])
})
