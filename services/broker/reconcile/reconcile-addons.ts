import { countAddons } from '../addons-db.ts'
import type { BrokerContext } from '../context.ts'
import { discrepanciesMax } from '../limits.ts'
import { compareApps } from './compare-apps.ts'
import { compareConfig } from './compare-config.ts'
import { compareResources } from './compare-resources.ts'
import { compareWorkflows } from './compare-workflows.ts'
import type { Discrepancy } from './discrepancy.ts'

export type Report = {
  discrepancies: Array<Discrepancy & { repaired: boolean }>
  addons: number
  apps: number
  resources: number
  /** There were more than discrepanciesMax: the rest is for the next look. */
  truncated: boolean
}

/** What is to be mended: nothing, what is the broker's to mend, or also what it does not know. */
export type Mending = { repair: boolean; removeUnknown: boolean }

/**
 * Compares what the broker knows with the apps' config and with the resources of our own
 * providers, and mends what it may. Takes no other input and may run at any time, in any number of
 * processes: only what is at rest around the look at the other side counts, so that work under way
 * is no discrepancy.
 *
 * @throws PlexusError when apps does not answer.
 */
export async function reconcileAddons(context: BrokerContext, mending: Mending): Promise<Report> {
  const report: Report = {
    ...{ discrepancies: [], apps: 0, resources: 0, truncated: false },
    addons: await countAddons(context.pool),
  }
  const found: Discrepancy[] = []
  const add = (more: Discrepancy[]): void => {
    const room = discrepanciesMax - found.length
    if (more.length > room) report.truncated = true
    found.push(...more.slice(0, room))
  }
  add(await compareWorkflows(context))
  add(await compareApps(context))
  const countApps = (apps: number): void => void (report.apps += apps)
  for await (const ofSome of compareConfig(context, countApps)) add(ofSome)
  const count = (resources: number): void => void (report.resources += resources)
  for await (const ofPage of compareResources(context, count)) add(ofPage)

  for (const discrepancy of found)
    report.discrepancies.push({
      ...discrepancy,
      repaired: await mend(context, discrepancy, mending),
    })
  context.runner.wake()
  return report
}

/** One that cannot be mended now must not keep the others from it. */
async function mend(
  { log }: BrokerContext,
  { repair, unknown, kind, addonId, appId }: Discrepancy,
  mending: Mending,
): Promise<boolean> {
  if (!repair || !(unknown ? mending.removeUnknown : mending.repair)) return false
  try {
    await repair()
    log.warn({ kind, addon: addonId, app: appId }, 'a discrepancy was repaired')
    return true
  } catch (error) {
    log.error({ err: error, kind, addon: addonId, app: appId }, 'a discrepancy was not repaired')
    return false
  }
}

/** The look that nobody asked for: it mends what is the broker's, and reports the rest. */
export async function reconcileByItself(context: BrokerContext): Promise<void> {
  const { discrepancies } = await reconcileAddons(context, { repair: true, removeUnknown: false })
  for (const { repaired, kind, addonId, appId, what } of discrepancies)
    if (!repaired)
      context.log.error({ alert: true, kind, addon: addonId, app: appId }, `discrepancy: ${what}`)
}
