import type { AppId } from '#lib/ids.ts'
import { appNames } from './access.ts'
import { listAppIdsInUse } from './addons-db.ts'
import { forgetApp } from './app-events.ts'
import type { BrokerContext } from './context.ts'
import { appsPerQuestionMax } from './limits.ts'

/**
 * Forgets every app that is gone, whatever became of the event that told of it: the stream keeps
 * events for days only. Takes no input and may run at any time, in any number of processes.
 *
 * An app is gone when apps answers without it; when apps does not answer, this throws. An id that
 * is in use here was an app when it was written, and ids do not come back, so that asking after
 * reading finds none missing that is only new.
 */
export async function reconcileApps(context: BrokerContext): Promise<void> {
  const appIds = await listAppIdsInUse(context.pool)
  for (let start = 0; start < appIds.length; start += appsPerQuestionMax) {
    const asked = appIds.slice(start, start + appsPerQuestionMax)
    const present = await appNames(context, asked)
    for (const appId of asked) if (!present.has(appId)) await forgetMissing(context, appId)
  }
}

async function forgetMissing(context: BrokerContext, appId: AppId): Promise<void> {
  context.log.warn({ appId }, 'add-ons or attachments of an app that is gone are removed')
  // One whose attachments are not settled yet must not keep the others; it is found again.
  await forgetApp(context, appId).catch((error: unknown) =>
    context.log.warn({ err: error, appId }, 'app is not forgotten yet'),
  )
}
