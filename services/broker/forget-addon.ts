import { must } from '#lib/assert.ts'
import { waitUntilSettled } from '#lib/workflow/wait-until-settled.ts'
import { viewAddon, type AddonView } from './addon-view.ts'
import { addonNotFound, wishDestroyed } from './addons.ts'
import { findAddon, findAnyAddon } from './addons-db.ts'
import { platformActor, type BrokerContext } from './context.ts'
import { partnerWaitMs } from './limits.ts'

/**
 * Lets the operator call an add-on gone whose provider will never say so: it is taken off its apps
 * as in any removal, and the provider is not asked any more. What the provider still has of it is
 * for the operator to see to.
 */
export async function forgetAddon(context: BrokerContext, nameOrId: string): Promise<AddonView> {
  const { pool, runner, log } = context
  const addon = await findAnyAddon(pool, nameOrId)
  if (!addon) throw addonNotFound()
  await wishDestroyed(pool, addon.id, { actor: platformActor, force: true, forget: true })
  log.warn({ addon: addon.id, provider: addon.providerId }, 'add-on is forgotten by the operator')
  runner.wake()
  await waitUntilSettled(context, addon.id, partnerWaitMs)
  return viewAddon(context, must(await findAddon(pool, addon.id), 'add-on'))
}
