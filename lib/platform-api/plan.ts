import { must } from '#lib/assert.ts'
import type { Plan } from '#proto/broker/v1/broker_pb.ts'
import { isoTime } from './time.ts'

export function renderPrice(plan: Plan) {
  return { cents: plan.priceCents, contract: false, metered: false, unit: 'month' }
}

export function renderPlan(plan: Plan) {
  const { id, name } = must(plan.addonService, 'add-on service of a plan')
  return {
    addon_service: { id, name },
    compliance: [],
    created_at: isoTime(plan.createdAt),
    default: plan.default,
    description: plan.description,
    human_name: plan.humanName,
    id: plan.id,
    installable_inside_private_network: false,
    installable_outside_private_network: true,
    name: plan.name,
    price: renderPrice(plan),
    space_default: false,
    state: 'ga',
    updated_at: isoTime(plan.updatedAt, plan.createdAt),
    visible: plan.visible,
  }
}
