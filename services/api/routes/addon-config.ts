import type { Api, ApiContext } from '../context.ts'
import { actorOf, partnerTarget } from '../hooks/identity.ts'
import { addonCallMs } from '../limits.ts'
import { requireProvider } from '../provider-only.ts'
import { AddonConfigParams, AddonParams, UpdateAddonConfig } from '../schemas/addons.ts'

const listed = { ranges: ['name'] } as const

/**
 * An add-on's own variables, under its service's names: to be read, and changed by its provider.
 */
export function addonConfigRoutes(api: Api, context: ApiContext): void {
  const { broker } = context
  const shown = ({ vars }: { vars: Record<string, string> }) =>
    Object.entries(vars).map(([name, value]) => ({ name, value }))

  api.get(
    '/addons/:addon/config',
    { config: { ...listed, partners: true }, schema: { params: AddonParams } },
    async (request) => {
      const partner = partnerTarget(request)
      if (partner) return shown(await broker.getPartnerConfig(partner))
      const { addon } = request.params
      return shown(await broker.getAddonConfig({ actor: actorOf(request), addon }))
    },
  )

  // The CLI takes an empty list for "there is no such credential".
  api.get(
    '/addons/:addon/config/:namespace',
    { config: listed, schema: { params: AddonConfigParams } },
    async (request) => {
      const { addon, namespace } = request.params
      return shown(await broker.getAddonConfig({ actor: actorOf(request), addon, namespace }))
    },
  )

  api.patch(
    '/addons/:addon/config',
    { config: { partners: true }, schema: { params: AddonParams, body: UpdateAddonConfig } },
    async (request) => {
      // What an add-on says of itself is its provider's to say.
      const partner = await requireProvider(context, request)
      const set: Record<string, string> = {}
      const unset: string[] = []
      for (const { name, value } of request.body.config) {
        if (value === null) unset.push(name)
        else set[name] = value
      }
      const change = { addonId: partner.addonId, set, unset }
      return shown(await broker.updatePartnerConfig(change, { timeoutMs: addonCallMs }))
    },
  )
}
