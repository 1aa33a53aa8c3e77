import { parseId, type AddonId } from '#lib/ids.ts'
import { isPlexusError } from '#lib/errors.ts'
import type { Resource } from '#proto/provider/v1/provider_pb.ts'
import { listAddonServices, type AddonServiceRow } from '../addon-services-db.ts'
import { platformActor, type BrokerContext } from '../context.ts'
import type { Provider } from '../providers/provider.ts'
import type { Discrepancy } from './discrepancy.ts'
import {
  listKnownAddons,
  listSettledAddons,
  readClock,
  type KnownAddon,
  type SettledAddon,
} from './reconcile-db.ts'

/**
 * Compares the add-ons of our own providers with the resources that these have. Heroku's contract
 * has no call for that: of providers out there only what is on its way is known.
 */
export async function* compareResources(
  context: BrokerContext,
  count: (resources: number) => void,
): AsyncGenerator<Discrepancy[]> {
  const byUrl = Map.groupBy(await listAddonServices(context.pool), ({ baseUrl }) => baseUrl)
  for (const [baseUrl, services] of byUrl) {
    const [first] = services
    const provider = first && context.findProvider(first)
    if (!provider?.listResources) continue
    const since = await readClock(context.pool)
    // Add-ons that have a resource now have it in the list that is read next, unless it is lost.
    const settled = await listSettledAddons(context.pool, idsOf(services))
    const listed = new Map<string, Resource>()
    try {
      for await (const page of provider.listResources()) {
        for (const resource of page) listed.set(resource.uuid, resource)
        count(page.length)
        yield await findLeftOver(context, provider, page, since)
      }
    } catch (error) {
      if (!isPlexusError(error)) throw error
      yield [notCompared(baseUrl, error.message)]
      continue
    }
    yield await findMissing(context, services, settled, listed)
  }
}

const idsOf = (services: AddonServiceRow[]): string[] => services.map(({ id }) => id)

const notCompared = (baseUrl: string, reason: string): Discrepancy => ({
  ...{ kind: 'not-compared', addonId: '', addonName: '', appId: '' },
  what: `The provider at ${baseUrl} was not compared. ${reason}`.trim(),
  remedy: 'See with npx plexus status whether it runs, and look again.',
})

/**
 * An add-on's row is there before its resource, and until the provider has said that it is gone.
 *
 * @param since before the look at the resources: of what was moved later nothing is known
 */
async function findLeftOver(
  { pool }: BrokerContext,
  provider: Provider,
  resources: Resource[],
  since: Date,
): Promise<Discrepancy[]> {
  const ids = resources.flatMap(({ uuid }) => parseId<AddonId>(uuid) ?? [])
  const known = await listKnownAddons(pool, ids, since)
  const addons = new Map(known.map((addon) => [addon.id, addon]))
  const found: Discrepancy[] = []
  for (const id of ids) {
    const addon = addons.get(id)
    if (addon && !addon.isGone) continue
    const removal = removalOf(id, addon?.appId ?? '')
    const repair = async () => void (await provider.deprovision(removal))
    found.push(addon ? leftOver(addon, repair) : unknownResource(id, repair))
  }
  return found
}

/** Of what no row tells more of. */
const removalOf = (uuid: AddonId, appId: string) => ({
  ...{ uuid, appId, id: '', providerPlanId: '', operation: null },
  actor: platformActor,
})

const leftOver = ({ id, name, appId }: KnownAddon, repair: () => Promise<void>): Discrepancy => ({
  ...{ kind: 'resource-left-over', addonId: id, addonName: name, appId, repair },
  what: 'It is deprovisioned, and its provider still has its resource.',
  remedy: 'Repairing removes the resource.',
})

const unknownResource = (id: AddonId, repair: () => Promise<void>): Discrepancy => ({
  ...{ kind: 'resource-unknown', addonId: id, addonName: '', appId: '', repair, unknown: true },
  what: 'A provider has a resource of this add-on, which the broker does not know.',
  remedy:
    'If an older backup of the broker was restored, it is all that is left of the add-on; otherwise' +
    ' --remove-unknown removes it.',
})

async function findMissing(
  { pool }: BrokerContext,
  services: AddonServiceRow[],
  settled: SettledAddon[],
  listed: ReadonlyMap<string, Resource>,
): Promise<Discrepancy[]> {
  const suspects = settled.filter(({ id, plan }) => listed.get(id)?.plan !== plan)
  if (suspects.length === 0) return []
  const ids = suspects.map(({ id }) => id)
  const still = new Map(
    (await listSettledAddons(pool, idsOf(services), ids)).map((addon) => [addon.id, addon]),
  )
  return suspects.flatMap(({ id, name, appId, plan, version }) => {
    // Changed meanwhile: the next look sees what has become of it.
    if (still.get(id)?.version !== version) return []
    const resource = listed.get(id)
    const about = { addonId: id, addonName: name, appId }
    if (resource)
      return {
        ...{ kind: 'plan-differs' as const, ...about },
        what: `It has the plan "${plan}" here and "${resource.plan}" at its provider.`,
        remedy: 'Change its plan (heroku addons:upgrade) to another one and back.',
      }
    return {
      ...{ kind: 'resource-missing' as const, ...about },
      what: 'It is provisioned, and its provider has no resource of it.',
      remedy:
        'Its data is where the provider’s backups are. When there are none: heroku addons:destroy,' +
        ' then addons:create.',
    }
  })
}
