import { formatBytes } from '#lib/format-bytes.ts'
import type { JsonFields } from '#lib/json-fields.ts'

/**
 * What a plan holds its add-ons to, by names that end in the unit unless it is a number of things:
 * `{"size_mb": 1024, "connections": 20}`. A provider of our own holds them to it; those of others
 * say so to customers.
 */
export type PlanLimits = Readonly<Record<string, number>>

const limitsMax = 20
const namePattern = /^[a-z][a-z0-9_]{0,49}$/

/**
 * The `limits` of a plan in a plans file; none where it names none.
 *
 * @throws Error that names source, field, rule and value.
 */
export function parsePlanLimits(plan: JsonFields): PlanLimits {
  if (plan.raw('limits') === undefined) return {}
  const limits = plan.object('limits')
  const names = limits.names()
  if (names.length > limitsMax) plan.fail('limits', `must be at most ${limitsMax}`, names.length)
  return Object.fromEntries(
    names.map((name) => {
      if (!namePattern.test(name))
        plan.fail('limits', `must have names that match ${namePattern.source}`, name)
      const value = limits.raw(name)
      return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
        ? [name, value]
        : limits.fail(name, 'must be a whole number, 1 or more', value)
    }),
  )
}

const megabyte = 1024 ** 2
const ofMegabytes = /_mb$/

/** For people: "size 1 GB, 20 connections". */
export function describeLimits(limits: PlanLimits): string {
  return Object.entries(limits)
    .map(([name, value]) => {
      const what = name.replace(ofMegabytes, '').replaceAll('_', ' ')
      return ofMegabytes.test(name)
        ? `${what} ${formatBytes(value * megabyte)}`
        : `${value} ${what}`
    })
    .join(', ')
}
