import type { AppId } from '#lib/ids.ts'
import { appNames } from '../access.ts'
import { forgetApp } from '../app-events.ts'
import { listAppIdsInUse } from '../addons-db.ts'
import type { BrokerContext } from '../context.ts'
import { appsPerQuestionMax } from '../limits.ts'
import type { Discrepancy } from './discrepancy.ts'

/**
 * Finds the apps that are gone while something here still belongs to them: the stream keeps events
 * for days only, and one may have been missed.
 *
 * Whether its add-ons are to go as well, a person has to say: an app is also missing where an older
 * backup of apps was restored, and a database that is removed for that reason is gone for good.
 *
 * @throws PlexusError when apps does not answer: nobody then knows what is gone.
 */
export async function compareApps(context: BrokerContext): Promise<Discrepancy[]> {
  // An id in use here was an app when it was written, and ids do not come back: asking after
  // reading finds none missing that is only new.
  const appIds = await listAppIdsInUse(context.pool)
  const gone: AppId[] = []
  for (let start = 0; start < appIds.length; start += appsPerQuestionMax) {
    const asked = appIds.slice(start, start + appsPerQuestionMax)
    const present = await appNames(context, asked)
    gone.push(...asked.filter((appId) => !present.has(appId)))
  }
  return gone.map((appId) => ({
    ...{ kind: 'app-gone', addonId: '', addonName: '', appId },
    what: `The app ${appId} is gone, and its add-ons and attachments are still here.`,
    remedy:
      'If an older backup of apps was restored, restore the broker from the same one; otherwise' +
      ' --remove-unknown destroys its add-ons.',
    repair: () => forgetApp(context, appId),
    unknown: true,
  }))
}
