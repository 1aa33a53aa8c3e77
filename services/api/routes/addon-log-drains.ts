import { notFound } from '#lib/errors.ts'
import type { Api, ApiContext } from '../context.ts'
import { actorOf, partnerTarget, type Identified, type PartnerIdentity } from '../hooks/identity.ts'
import { requireProvider } from '../provider-only.ts'
import { renderDrain } from '../render/log-drain.ts'
import { AddonParams } from '../schemas/addons.ts'
import { AddonDrainParams, SetLogDrain } from '../schemas/logs.ts'
import { partnerApps } from '../targets.ts'

type Asked = Identified & { partner: PartnerIdentity | null; params: { addon: string } }

/** The drains of an add-on, one for each attachment: to be seen, and pointed by its provider. */
export function addonLogDrainRoutes(api: Api, context: ApiContext): void {
  const { broker } = context

  api.get(
    '/addons/:addon/log-drains',
    { config: { partners: true }, schema: { params: AddonParams } },
    (request) => listDrains(context, request),
  )

  // Named by its id, its token or its url, whose slashes the client has encoded.
  api.put(
    '/addons/:addon/log-drains/:drain',
    { config: { partners: true }, schema: { params: AddonDrainParams, body: SetLogDrain } },
    async (request) => {
      const { addonId } = await requireProvider(context, request)
      const { drain } = request.params
      const { token } = await broker.setPartnerLogDrain({ addonId, drain, url: request.body.url })
      const drains = await listDrains(context, request)
      const found = drains.find((each) => each.token === token)
      // It may have gone with its attachment meanwhile.
      if (!found) throw notFound('log drain')
      return found
    },
  )
}

/** To an account, those of the apps that it may touch; to the provider, all. */
async function listDrains(context: ApiContext, request: Asked) {
  const { broker, logplex } = context
  const partner = partnerTarget(request)
  const { id, name } = partner
    ? { id: partner.addonId, name: partner.addonName }
    : await broker.getAddon({ actor: actorOf(request), addon: request.params.addon })
  const { drains } = await logplex.listAddonDrains({ addonId: id })
  const apps = partner
    ? await partnerApps(context, partner)
    : (
        await context.apps.filterApps({
          ...{ actor: actorOf(request), appIds: drains.map(({ appId }) => appId) },
        })
      ).apps
  const byId = new Map(apps.map((app) => [app.id, app]))
  return drains.flatMap((drain) => {
    const app = byId.get(drain.appId)
    return app ? [renderDrain(drain, app, new Map([[id, name]]))] : []
  })
}
