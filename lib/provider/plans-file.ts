import { join } from 'node:path'
import { jsonFields, type JsonFields } from '#lib/json-fields.ts'
import { readJsonFile } from '#lib/json-file.ts'
import { parsePlanLimits } from '#lib/partner-api/plan-limits.ts'

// What a provider of our own is to hold its resources to stands in the file beside the manifest of
// its add-on service, which the broker reads as well.

const plansFile = (addonService: string): string => `${addonService}.plans.json`

/**
 * The limits of every plan, by its slug.
 *
 * @param plans.most of those that the provider holds, what it can hold at most: each plan has them,
 *   and no others, which nobody held.
 * @throws Error that names file, field, rule and value.
 */
export async function readPlanLimits<Name extends string>({
  folder,
  addonService,
  most,
}: {
  folder: string
  addonService: string
  most: Readonly<Record<Name, number>>
}): Promise<Record<string, Record<Name, number>>> {
  const file = plansFile(addonService)
  const plans = jsonFields(file, '', await readJsonFile(join(folder, file))).objects('plans')
  return Object.fromEntries(plans.map((plan) => [plan.text('slug'), heldLimits(plan, most)]))
}

function heldLimits<Name extends string>(
  plan: JsonFields,
  most: Readonly<Record<Name, number>>,
): Record<Name, number> {
  const names = Object.keys(most) as Name[]
  const limits = parsePlanLimits(plan)
  const rule = `must be ${names.join(' and ')}, to which the provider holds what has the plan`
  const isHeld = names.every((name) => limits[name] !== undefined)
  if (!isHeld || Object.keys(limits).length !== names.length)
    plan.fail('limits', rule, plan.raw('limits'))
  for (const name of names)
    if ((limits[name] ?? 0) > most[name])
      plan.fail(`limits.${name}`, `must be at most ${most[name]}`, limits[name])
  return limits as Record<Name, number>
}

/** Throws when the file has lost a plan that some resource has: nothing says what holds it then. */
export function assertPlansDeclared(
  addonService: string,
  plans: Readonly<Record<string, unknown>>,
  inUse: string[],
): void {
  const lost = inUse.filter((plan) => !Object.hasOwn(plans, plan))
  if (lost.length > 0)
    throw new Error(
      `${plansFile(addonService)}: plans must have ${lost.map((plan) => `"${plan}"`).join(' and ')}, which` +
        ' add-ons have; "hidden": true keeps it from being listed',
    )
}
