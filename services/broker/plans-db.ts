import type { OptionsSchema } from '#lib/partner-api/options-schema.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'

export type PlanRow = {
  id: string
  slug: string
  humanName: string
  description: string
  priceCents: number
  isDefault: boolean
  hidden: boolean
  retired: boolean
  /** The provider's own id of it; empty where it goes by its slug. */
  providerPlanId: string
  /** Whether attachments may have credentials of their own. */
  bindable: boolean
  /** Whether what has it may change to another one. */
  changeable: boolean
  /** Null: options are what the provider makes of them. */
  optionsSchema: OptionsSchema | null
  createdAt: Date
  updatedAt: Date
  addonServiceId: string
}

const columns = `id, slug, human_name as "humanName", description, price_cents as "priceCents",
  is_default as "isDefault", hidden, retired,
  provider_plan_id as "providerPlanId", bindable, changeable,
  options_schema as "optionsSchema", created_at as "createdAt", updated_at as "updatedAt",
  addon_service_id as "addonServiceId"`

/** Declares a plan under its service and slug: a known one keeps its id. */
export async function putPlan(
  tx: Transaction,
  plan: Omit<PlanRow, 'retired' | 'createdAt' | 'updatedAt'>,
): Promise<void> {
  await tx.query(
    `insert into plans (id, addon_service_id, slug, human_name, description, price_cents,
       is_default, hidden, provider_plan_id, bindable, changeable,
       options_schema, retired)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, false)
     on conflict (addon_service_id, slug) do update set
       (human_name, description, price_cents, is_default, hidden, provider_plan_id, bindable,
         changeable, options_schema, retired, updated_at) =
       (excluded.human_name, excluded.description, excluded.price_cents, excluded.is_default,
         excluded.hidden, excluded.provider_plan_id, excluded.bindable, excluded.changeable,
         excluded.options_schema, false, now())
     where (plans.human_name, plans.description, plans.price_cents, plans.is_default, plans.hidden,
         plans.provider_plan_id, plans.bindable, plans.changeable,
         plans.options_schema, plans.retired)
       is distinct from (excluded.human_name, excluded.description, excluded.price_cents,
         excluded.is_default, excluded.hidden, excluded.provider_plan_id, excluded.bindable,
         excluded.changeable, excluded.options_schema, false)`,
    [
      plan.id,
      plan.addonServiceId,
      plan.slug,
      plan.humanName,
      plan.description,
      plan.priceCents,
      plan.isDefault,
      plan.hidden,
      plan.providerPlanId,
      plan.bindable,
      plan.changeable,
      plan.optionsSchema && JSON.stringify(plan.optionsSchema),
    ],
  )
}

/** Retires the plans of a service that are no longer declared. */
export async function retireOtherPlans(
  tx: Transaction,
  addonServiceId: string,
  declaredSlugs: string[],
): Promise<void> {
  await tx.query(
    `update plans set retired = true, updated_at = now()
     where addon_service_id = $1 and not slug = any($2) and not retired`,
    [addonServiceId, declaredSlugs],
  )
}

/** Cheapest first, without those that are retired or hidden. */
export async function listPlans(db: Queryable, addonServiceId: string): Promise<PlanRow[]> {
  const { rows } = await db.query<PlanRow>(
    `select ${columns} from plans where addon_service_id = $1 and not retired and not hidden
     order by price_cents, slug`,
    [addonServiceId],
  )
  return rows
}

/** Retired ones too: what has such a plan keeps it. */
export async function findPlansById(db: Queryable, ids: string[]): Promise<PlanRow[]> {
  const { rows } = await db.query<PlanRow>(
    `select ${columns} from plans where id = any($1::uuid[])`,
    [ids],
  )
  return rows
}

/** A plan of the service by its slug; without a slug its default plan. Never a retired one. */
export async function findPlan(
  db: Queryable,
  addonServiceId: string,
  slug: string,
): Promise<PlanRow | undefined> {
  const { rows } = await db.query<PlanRow>(
    `select ${columns} from plans where addon_service_id = $1 and not retired
       and ((slug = $2) or ($2 = '' and is_default))`,
    [addonServiceId, slug],
  )
  return rows[0]
}
