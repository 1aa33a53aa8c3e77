import type { FastifyRequest } from 'fastify'
import { invalidParams } from '#lib/errors.ts'
import type { Addon } from '#proto/broker/v1/broker_pb.ts'
import type { Api, ApiContext } from '../context.ts'
import { listHeader } from '../hooks/accept.ts'
import { actorOf, partnerTarget } from '../hooks/identity.ts'
import { addonCallMs, addonWaitMs } from '../limits.ts'
import { renderAddon } from '#lib/platform-api/addon.ts'
import {
  AddonParams,
  AppAddonParams,
  CreateAddon,
  DestroyAddon,
  ResolveAddons,
  UpdateAddon,
} from '../schemas/addons.ts'
import { UserParams } from '../schemas/apps.ts'
import { AppParams, identityText } from '../schemas/fields.ts'
import { requireSelf, targetApp } from '../targets.ts'

const listed = { ranges: ['id', 'name'] } as const
const forPartners = { config: { partners: true } } as const
const slowCall = { timeoutMs: addonCallMs }

type Headers = Pick<FastifyRequest, 'headers'>

/**
 * As the request wants it shown. Heroku's clients name what they want whole in Accept-Expansion.
 */
const shownBy =
  ({ publicUrl }: ApiContext) =>
  ({ headers }: Headers, addon: Addon) =>
    renderAddon(addon, listHeader(headers['accept-expansion']), publicUrl)

export function addonRoutes(api: Api, context: ApiContext): void {
  readRoutes(api, context)
  writeRoutes(api, context)
}

function readRoutes(api: Api, context: ApiContext): void {
  const { broker } = context
  const shown = shownBy(context)

  api.get('/addons', { config: { ...listed, partners: true } }, async (request) => {
    const { partner } = request
    if (partner) return [shown(request, await broker.getPartnerAddon(partner))]
    const { addons } = await broker.listAddons({ actor: actorOf(request) })
    return addons.map((addon) => shown(request, addon))
  })

  api.get(
    '/users/:user/addons',
    { config: listed, schema: { params: UserParams } },
    async (request) => {
      requireSelf(request)
      const { addons } = await broker.listAddons({ actor: actorOf(request) })
      return addons.map((addon) => shown(request, addon))
    },
  )

  api.get(
    '/apps/:app/addons',
    { config: listed, schema: { params: AppParams } },
    async (request) => {
      const { id } = await targetApp(context, request)
      const { addons } = await broker.listAddons({ actor: actorOf(request), app: id })
      return addons.map((addon) => shown(request, addon))
    },
  )

  api.get(
    '/addons/:addon',
    { ...forPartners, schema: { params: AddonParams } },
    async (request) => {
      const partner = partnerTarget(request)
      const { addon } = request.params
      const found = partner
        ? await broker.getPartnerAddon(partner)
        : await broker.getAddon({ actor: actorOf(request), addon })
      return shown(request, found)
    },
  )

  api.get('/apps/:app/addons/:addon', { schema: { params: AppAddonParams } }, async (request) => {
    const { id } = await targetApp(context, request)
    const { addon } = request.params
    return shown(request, await broker.getAddon({ actor: actorOf(request), addon, app: id }))
  })

  api.post('/actions/addons/resolve', { schema: { body: ResolveAddons } }, async (request) => {
    const { addon, app, addon_service: addonService } = request.body
    const { addons } = await broker.resolveAddons({
      actor: actorOf(request),
      addon,
      app: identityText(app),
      addonService: identityText(addonService),
    })
    return addons.map((found) => shown(request, found))
  })
}

function writeRoutes(api: Api, context: ApiContext): void {
  const { broker } = context
  const shown = shownBy(context)

  api.post(
    '/apps/:app/addons',
    { schema: { params: AppParams, body: CreateAddon } },
    async (request, reply) => {
      const { id } = await targetApp(context, request)
      const { plan, name, attachment, config, confirm } = request.body
      const addon = await broker.createAddon(
        {
          actor: actorOf(request),
          app: id,
          plan: identityText(plan),
          name: name ?? '',
          attachmentName: attachment?.name ?? '',
          options: optionTexts(config ?? {}),
          confirm: confirm ?? '',
          waitMs: addonWaitMs,
        },
        slowCall,
      )
      reply.code(201)
      return shown(request, addon)
    },
  )

  api.patch(
    '/apps/:app/addons/:addon',
    { schema: { params: AppAddonParams, body: UpdateAddon } },
    async (request) => {
      const { id } = await targetApp(context, request)
      const { addon } = request.params
      const { name, plan } = request.body
      const target = { actor: actorOf(request), app: id, addon }
      if (plan !== undefined && name !== undefined)
        throw invalidParams('Change the name or the plan, one at a time.')
      if (plan !== undefined) {
        const wanted = { ...target, plan: identityText(plan), waitMs: addonWaitMs }
        return shown(request, await broker.changePlan(wanted, slowCall))
      }
      if (name === undefined) throw invalidParams('Missing param: name, or plan.')
      return shown(request, await broker.renameAddon({ ...target, name }))
    },
  )

  api.delete(
    '/apps/:app/addons/:addon',
    { schema: { params: AppAddonParams, body: DestroyAddon } },
    async (request) => {
      const { id } = await targetApp(context, request)
      const { addon } = request.params
      const gone = await broker.destroyAddon(
        {
          actor: actorOf(request),
          app: id,
          addon,
          force: request.body?.force ?? false,
          waitMs: addonWaitMs,
        },
        slowCall,
      )
      return shown(request, gone)
    },
  )
}

/** Providers get texts; null is an option that was not given. */
function optionTexts(
  options: Record<string, string | number | boolean | null>,
): Record<string, string> {
  const given = Object.entries(options).filter(([, value]) => value !== null)
  return Object.fromEntries(given.map(([name, value]) => [name, String(value)]))
}
