import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { newId, type AddonId, type AppId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { openPool } from '#lib/postgres.ts'
import { rpcClient } from '#lib/rpc.ts'
import { loadSecrets } from '#lib/secrets/secrets.ts'
import { AppsService } from '#proto/apps/v1/apps_pb.ts'
import { BrokerService } from '#proto/broker/v1/broker_pb.ts'
import { databaseUrl, natsUrl } from '../../local-platform/service-env.ts'
import type { WebhooksContext } from '../../services/webhooks/context.ts'
import { reconcileTopics } from '../../services/webhooks/reconcile-topics.ts'
import type { TopicRef } from '../../services/webhooks/topics-db.ts'
import { createWebhook, listWebhooksOf } from '../../services/webhooks/webhooks.ts'
import {
  closeRunningBroker,
  create,
  openRunningBroker,
  owner,
  platform,
  service,
  startBroker,
} from '../support/running-broker.ts'

const engines = inject('engines')
const { layout, credentials } = engines
let context: WebhooksContext
let close: () => Promise<void>

beforeAll(async () => {
  await openRunningBroker(engines)
  // With no more rights than the service has.
  const nats = await connectNats(natsUrl(layout, credentials, 'webhooks'), 'test', silentLog)
  const url = databaseUrl(layout, credentials, 'webhooks')
  const pool = openPool({ url, schema: 'webhooks', log: silentLog })
  context = {
    ...{ pool, mayBeLocal: true, apiUrl: 'http://localhost', log: silentLog },
    secrets: await loadSecrets(engines.masterKeyFile),
    apps: rpcClient(nats, 'apps', AppsService),
    broker: rpcClient(nats, 'broker', BrokerService),
    wakeSender: () => {},
  }
  close = async () => {
    await nats.close()
    await pool.end()
  }
})

afterAll(async () => {
  await close()
  await closeRunningBroker()
})

const webhooks = async (topic: TopicRef): Promise<number> =>
  (await listWebhooksOf(context, topic)).length

async function subscribe(topic: TopicRef): Promise<TopicRef> {
  const fields = { include: ['dyno'], level: 'notify', url: 'http://127.0.0.1:9/' }
  await createWebhook(context, { topic, ...fields, secret: '', authorization: '' })
  return topic
}

test('webhooks of apps and add-ons that went without a word go, and only while that is certain', async () => {
  const app = await platform.newApp(owner)
  const addon = await create(app)
  const appId = app.id as AppId
  const present = [
    await subscribe({ kind: 'app', resourceId: appId, appId }),
    await subscribe({ kind: 'addon', resourceId: addon.id as AddonId, appId }),
    await subscribe({ kind: 'partner', resourceId: addon.id as AddonId, appId }),
  ]
  const gone = newId<AppId>()
  const absent = [
    await subscribe({ kind: 'app', resourceId: gone, appId: gone }),
    await subscribe({ kind: 'partner', resourceId: newId<AddonId>(), appId }),
  ]
  await service.stop()
  await expect(reconcileTopics(context)).rejects.toThrow('Nobody answers')
  expect(await Promise.all(present.map(webhooks))).toEqual([1, 1, 1])

  await startBroker()
  await reconcileTopics(context)
  expect(await Promise.all(present.map(webhooks))).toEqual([1, 1, 1])
  expect(await Promise.all(absent.map(webhooks))).toEqual([0, 0])
})
