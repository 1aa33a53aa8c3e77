import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { jsonFields, type JsonFields } from '#lib/json-fields.ts'
import { readJsonFile } from '#lib/json-file.ts'
import {
  configVarPattern,
  foreignIdPattern,
  parseManifest,
  shownTextPattern,
  slugPattern,
  type Manifest,
} from '#lib/partner-api/manifest.ts'
import { parseOptionsSchema, type OptionsSchema } from '#lib/partner-api/options-schema.ts'
import { describeLimits, parsePlanLimits } from '#lib/partner-api/plan-limits.ts'
import { plansPerServiceMax, testersMax } from './limits.ts'

type PlanDeclaration = {
  slug: string
  humanName: string
  /** What the plans file says of it, with its limits. */
  description: string
  /** A month. */
  priceCents: number
  isDefault: boolean
  /** To be had by who knows its name, and not listed. */
  hidden: boolean
  /** The provider's own id of it; empty where it goes by its slug. */
  providerPlanId: string
  /** Whether attachments may have credentials of their own, where the carrier has such. */
  bindable: boolean
  /** Whether what has it may change to another one. */
  changeable: boolean
  /** Null: options are what the provider makes of them. */
  optionsSchema: OptionsSchema | null
}

export const serviceStates = ['alpha', 'beta', 'ga', 'shutdown'] as const
export type ServiceState = (typeof serviceStates)[number]

/** What stands beside a manifest, in a format of ours: what Heroku keeps in its partner portal. */
type PlansDeclaration = {
  state: ServiceState
  defaultAttachmentName: string | undefined
  /** E-mail addresses of who may have the service while it is alpha. */
  testers: string[]
  plans: PlanDeclaration[]
}

/** An add-on service as the broker needs it. */
export type ServiceDeclaration = {
  manifest: Manifest
  plans: PlansDeclaration
  /** Both as they were given, to be given back. */
  contents: Record<string, unknown>
  rawPlans: Record<string, unknown>
}

const plansSuffix = '.plans.json'

/**
 * Reads every manifest (Heroku's format) of a folder with its `<slug>.plans.json` (ours). Throws
 * one error that names file, field, rule and value when anything in them is wrong.
 */
export async function loadManifests(folder: string): Promise<ServiceDeclaration[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.json')).toSorted()
  const manifests = files.filter((file) => !file.endsWith(plansSuffix))
  return Promise.all(
    manifests.map(async (file) => {
      const plansFile = file.replace(/\.json$/, plansSuffix)
      const manifest = await readJsonFile(join(folder, file))
      const plans = await readJsonFile(join(folder, plansFile))
      return parseService({ file, value: manifest }, { file: plansFile, value: plans })
    }),
  )
}

type Source = { file: string; value: unknown }

/** The declaration in a manifest and its plans file, or an error that says what is wrong where. */
export function parseService(manifest: Source, plans: Source): ServiceDeclaration {
  const parsed = parseManifest(manifest.file, manifest.value)
  return {
    manifest: parsed,
    plans: parsePlans(plans.file, plans.value, parsed),
    // Both are objects, or they had not been read.
    contents: manifest.value as Record<string, unknown>,
    rawPlans: plans.value as Record<string, unknown>,
  }
}

/** @throws Error that names source, field, rule and value. */
function parsePlans(source: string, value: unknown, { osb }: Manifest): PlansDeclaration {
  const ours = jsonFields(source, '', value)
  const plans = ours.objects('plans').map((plan) => parsePlan(plan, { needsId: osb !== undefined }))
  if (plans.length > plansPerServiceMax)
    ours.fail('plans', `must be at most ${plansPerServiceMax}`, plans.length)
  const slugs = plans.map(({ slug }) => slug)
  if (new Set(slugs).size !== slugs.length)
    ours.fail('plans', 'must have slugs of their own', slugs)
  const defaults = plans.filter(({ isDefault }) => isDefault).map(({ slug }) => slug)
  if (defaults.length !== 1) ours.fail('plans', 'must have exactly one default', defaults)
  const state = ours.oneOf('state', serviceStates)
  // As on Heroku: a service is paid for once everybody may have it.
  const paid = plans.find(({ priceCents }) => priceCents > 0)
  if ((state === 'alpha' || state === 'beta') && paid)
    ours.fail('plans', `must be free while the service is ${state}`, paid.slug)
  return {
    state,
    defaultAttachmentName: ours.optionalText('default_attachment_name', configVarPattern),
    testers: parseTesters(ours),
    plans,
  }
}

function parseTesters(ours: JsonFields): string[] {
  const testers = ours.optionalTexts('testers') ?? []
  if (testers.length > testersMax)
    ours.fail('testers', `must be at most ${testersMax}`, testers.length)
  return testers
}

function parsePlan(plan: JsonFields, { needsId }: { needsId: boolean }): PlanDeclaration {
  return {
    slug: plan.text('slug', slugPattern),
    humanName: plan.text('name', shownTextPattern),
    description: describePlan(plan),
    priceCents: plan.wholeNumber('price_cents'),
    isDefault: plan.optionalFlag('default') ?? false,
    hidden: plan.optionalFlag('hidden') ?? false,
    providerPlanId: needsId
      ? plan.text('provider_plan_id', foreignIdPattern)
      : (plan.optionalText('provider_plan_id', foreignIdPattern) ?? ''),
    bindable: plan.optionalFlag('bindable') ?? true,
    changeable: plan.optionalFlag('changeable') ?? true,
    optionsSchema: parseOptionsSchema(plan),
  }
}

/** With its limits behind it: "A Redis instance (maxmemory 25 MB, 20 connections)". */
function describePlan(plan: JsonFields): string {
  const text = plan.optionalText('description', shownTextPattern) ?? ''
  const limits = describeLimits(parsePlanLimits(plan))
  return text === '' || limits === '' ? text + limits : `${text} (${limits})`
}
