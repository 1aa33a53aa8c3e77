import { must } from '#lib/assert.ts'
import { invalidParams, notFound } from '#lib/errors.ts'
import { isUuid } from '#lib/ids.ts'
import type { Queryable } from '#lib/postgres.ts'
import { maySee } from './addon-services.ts'
import {
  findAddonService,
  findAddonServicesById,
  type AddonServiceRow,
} from './addon-services-db.ts'
import type { Actor } from './context.ts'
import { findPlan, findPlansById, type PlanRow } from './plans-db.ts'

export type PlanOfService = { plan: PlanRow; service: AddonServiceRow }

/** By "service:plan", uuid or service (its default plan), as the actor may see it, or NOT_FOUND. */
export async function getPlan(
  db: Queryable,
  actor: Actor,
  identifier: string,
): Promise<PlanOfService> {
  const found = await lookUp(db, actor, identifier)
  if (!found) throw notFound('plan', "Couldn't find that plan.")
  return found
}

/** The plan that a customer asks for: INVALID_PARAMS when there is none or it is not to be had. */
export async function getPlanToHave(
  db: Queryable,
  actor: Actor,
  identifier: string,
): Promise<PlanOfService> {
  const found = await lookUp(db, actor, identifier)
  if (!found || found.plan.retired)
    throw invalidParams(
      `Couldn't find either the add-on service or the add-on plan of "${identifier}".` +
        ' heroku addons:services and heroku addons:plans SERVICE list what there is.',
    )
  return found
}

async function lookUp(
  db: Queryable,
  actor: Actor,
  identifier: string,
): Promise<PlanOfService | undefined> {
  const found = isUuid(identifier) ? await byId(db, identifier) : await bySlugs(db, identifier)
  return found && maySee(actor, found.service) ? found : undefined
}

async function byId(db: Queryable, id: string): Promise<PlanOfService | undefined> {
  const [plan] = await findPlansById(db, [id])
  if (!plan) return undefined
  return { plan, service: must(await findAddonService(db, plan.addonServiceId), 'service') }
}

async function bySlugs(db: Queryable, identifier: string): Promise<PlanOfService | undefined> {
  const [serviceSlug = '', planSlug = ''] = identifier.split(':')
  const service = await findAddonService(db, serviceSlug)
  const plan = service && (await findPlan(db, service.id, planSlug))
  return plan && { plan, service }
}

/** The plan of an add-on, with its service. */
export async function planOf(
  db: Queryable,
  { planId }: { planId: string },
): Promise<PlanOfService> {
  return must((await plansById(db, [planId])).get(planId), 'plan of add-on')
}

/** Plans with their services, by plan id. */
export async function plansById(
  db: Queryable,
  planIds: string[],
): Promise<ReadonlyMap<string, PlanOfService>> {
  const plans = await findPlansById(db, [...new Set(planIds)])
  const serviceIds = [...new Set(plans.map(({ addonServiceId }) => addonServiceId))]
  const found = await findAddonServicesById(db, serviceIds)
  const services = new Map(found.map((service) => [service.id, service]))
  return new Map(
    plans.map((plan) => [
      plan.id,
      { plan, service: must(services.get(plan.addonServiceId), 'service of plan') },
    ]),
  )
}
