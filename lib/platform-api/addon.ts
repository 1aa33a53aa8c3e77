import { must } from '#lib/assert.ts'
import type { Addon } from '#proto/broker/v1/broker_pb.ts'
import { renderAddonService } from './addon-service.ts'
import { renderAppRef } from './app.ts'
import { renderPlan, renderPrice } from './plan.ts'
import { isoTime } from './time.ts'

/** `expansion` holds the words of Accept-Expansion: what is shown whole instead of by its name. */
export function renderAddon(addon: Addon, expansion: ReadonlySet<string>, publicUrl: string) {
  const plan = must(addon.plan, 'plan of an add-on')
  const service = must(plan.addonService, 'add-on service of a plan')
  const app = renderAppRef(addon.app)
  return {
    actions: [],
    addon_service: expansion.has('addon_service')
      ? renderAddonService(service)
      : { id: service.id, name: service.name },
    app,
    billed_price: renderPrice(plan),
    billing_entity: { ...app, type: 'app' },
    config_vars: addon.configVars,
    created_at: isoTime(addon.createdAt),
    id: addon.id,
    name: addon.name,
    plan: expansion.has('plan') ? renderPlan(plan) : { id: plan.id, name: plan.name },
    provider_id: addon.providerId,
    ...(addon.provisionMessage !== '' && { provision_message: addon.provisionMessage }),
    state: addon.state,
    updated_at: isoTime(addon.updatedAt, addon.createdAt),
    web_url: dashboardUrl(addon, publicUrl),
  }
}

/**
 * Where `heroku addons:open` leads a browser; the CLI breaks where there is nothing. A resolved
 * add-on with a dashboard brings the ticket that opens it for who asked.
 */
export function dashboardUrl(
  { id, dashboardTicket }: Pick<Addon, 'id' | 'dashboardTicket'>,
  publicUrl: string,
): string {
  const ticket = dashboardTicket === '' ? '' : `?ticket=${dashboardTicket}`
  return `${publicUrl}/addons/${id}/dashboard${ticket}`
}
