import type { NatsConnection } from '@nats-io/transport-node'
import { consumeEvents, type EventConsumer } from '#lib/events/event-stream.ts'
import { parseId, type AppId } from '#lib/ids.ts'
import { transaction } from '#lib/postgres.ts'
import { durables } from '#lib/subjects.ts'
import { wishDestroyed } from './addons.ts'
import { listBilledAddons } from './addons-db.ts'
import { listAttachmentsOfApps } from './attachments-db.ts'
import { platformActor, type BrokerContext } from './context.ts'
import { startDetaching } from './workflows/detach-addon.ts'

/** Follows what happens to apps: with an app go its add-ons, and others' attachments on it. */
export function followApps(nats: NatsConnection, context: BrokerContext): Promise<EventConsumer> {
  return consumeEvents(nats, {
    durable: durables.broker,
    facts: ['app_destroyed'],
    log: context.log,
    handle: async ({ id, fact }) => {
      if (fact.case !== 'appDestroyed') return
      const appId = parseId<AppId>(fact.value.appId)
      if (appId) await forgetApp(context, appId)
      else context.log.error({ event: id }, 'event names no app')
    },
  })
}

/**
 * Wishes away everything on an app that is gone. Throws while an attachment is still on its way in
 * or out there, so that the event comes again when it has arrived.
 */
export async function forgetApp(context: BrokerContext, appId: AppId): Promise<void> {
  const { pool, runner } = context
  for (const { id } of await listBilledAddons(pool, appId))
    await wishDestroyed(pool, id, { actor: platformActor, force: true })
  for (const { id } of await listAttachmentsOfApps(pool, [appId]))
    await transaction(pool, (tx) => startDetaching(tx, id, platformActor))
  runner.wake()
  const addonIds = new Set((await listBilledAddons(pool, appId)).map(({ id }) => id))
  const left = (await listAttachmentsOfApps(pool, [appId])).filter(
    ({ addonId, state }) => state === 'attaching' && !addonIds.has(addonId),
  )
  if (left.length > 0)
    throw new Error(`${left.length} attachments on destroyed app ${appId} are not settled yet`)
}
