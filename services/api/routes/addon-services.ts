import { notFound } from '#lib/errors.ts'
import { isUuid } from '#lib/ids.ts'
import type { Api, ApiContext } from '../context.ts'
import { actorOf } from '../hooks/identity.ts'
import { renderAddonService } from '#lib/platform-api/addon-service.ts'
import { renderPlan } from '#lib/platform-api/plan.ts'
import { PlanParams, ServiceParams, ServicePlanParams } from '../schemas/addon-services.ts'

const listed = { ranges: ['id', 'name'] } as const

/** What can be added, and at which price; a service in alpha is there for its testers only. */
export function addonServiceRoutes(api: Api, context: ApiContext): void {
  const { broker } = context

  api.get('/addon-services', { config: listed }, async (request) => {
    const list = await broker.listAddonServices({ actor: actorOf(request) })
    return list.addonServices.map(renderAddonService)
  })

  api.get('/addon-services/:service', { schema: { params: ServiceParams } }, async (request) => {
    const { service } = request.params
    return renderAddonService(
      await broker.getAddonService({ actor: actorOf(request), addonService: service }),
    )
  })

  api.get(
    '/addon-services/:service/plans',
    { config: listed, schema: { params: ServiceParams } },
    async (request) => {
      const list = await broker.listPlans({
        actor: actorOf(request),
        addonService: request.params.service,
      })
      return list.plans.map(renderPlan)
    },
  )

  api.get(
    '/addon-services/:service/plans/:plan',
    { schema: { params: ServicePlanParams } },
    async (request) => {
      const { service, plan } = request.params
      const asked = isUuid(plan) || plan.includes(':') ? plan : `${service}:${plan}`
      const found = await broker.getPlan({ actor: actorOf(request), plan: asked })
      if (![found.addonService?.id, found.addonService?.name].includes(service))
        throw notFound('plan')
      return renderPlan(found)
    },
  )

  api.get('/plans/:plan', { schema: { params: PlanParams } }, async (request) =>
    renderPlan(await broker.getPlan({ actor: actorOf(request), plan: request.params.plan })),
  )
}
