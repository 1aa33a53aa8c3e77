import type { AppId } from '#lib/ids.ts'
import { appNames } from './access.ts'
import { listAppIdsInUse } from './addons-db.ts'
import type { BrokerContext } from './context.ts'
import { appsPerQuestionMax } from './limits.ts'

/**
 * Finds and reports the apps that are gone while something here still belongs to them: the stream
 * keeps events for days only, and one may have been missed. Takes no input and may run at any time,
 * in any number of processes.
 *
 * It changes nothing. An app is also missing where an older backup of apps was restored, and a
 * database that is removed for that reason is gone for good.
 *
 * @returns the ids of those apps.
 * @throws PlexusError when apps does not answer: nobody then knows what is gone.
 */
export async function reconcileApps(context: BrokerContext): Promise<AppId[]> {
  // An id in use here was an app when it was written, and ids do not come back: asking after
  // reading finds none missing that is only new.
  const appIds = await listAppIdsInUse(context.pool)
  const gone: AppId[] = []
  for (let start = 0; start < appIds.length; start += appsPerQuestionMax) {
    const asked = appIds.slice(start, start + appsPerQuestionMax)
    const present = await appNames(context, asked)
    gone.push(...asked.filter((appId) => !present.has(appId)))
  }
  if (gone.length > 0)
    context.log.error({ appIds: gone, alert: true }, 'apps are gone and their add-ons are not')
  return gone
}
