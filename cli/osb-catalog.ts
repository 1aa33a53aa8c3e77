import { jsonFields, type JsonFields } from '#lib/json-fields.ts'
import { foreignIdPattern } from '#lib/partner-api/manifest.ts'
import { adoptOptionsSchema, type OptionsSchema } from '#lib/partner-api/options-schema.ts'

// The catalog of an Open Service Broker (its spec.md, "Catalog Management"), and the manifests and
// plans that it makes.

type Fields = Record<string, unknown>

/** Where the broker is, and as whom it is called. */
export type OsbAccess = { url: string; username: string; password: string }

export type CatalogService = {
  id: string
  /** Made of its name. */
  slug: string
  name: string
  /** For people; not every catalog has one. */
  displayName: string | undefined
  /** As manifests spell features. */
  requires: string[]
  /** What it needs of a platform and Plexus has not; empty: nothing. */
  unsupported: string[]
  plans: CatalogPlan[]
}

type CatalogPlan = {
  id: string
  slug: string
  name: string
  displayName: string | undefined
  /** Empty: none. */
  description: string
  /** A month, in US dollars; 0 also where it names no such price. */
  priceCents: number
  bindable: boolean
  changeable: boolean
  /** Of an instance's parameters, as far as a plan of ours can have it. */
  optionsSchema: OptionsSchema | null
}

/** What is in force of a service that was imported before. */
export type Known = Revision | undefined
export type Revision = { contents: Fields; plans: Fields }

const unsupportedFeatures = ['route_forwarding', 'volume_mount']
const textCharsMax = 500
/** Also none. */
const anyText = /^/

/** @throws Error that names field, rule and value. */
export function readCatalog(source: string, value: unknown): CatalogService[] {
  return jsonFields(source, '', withoutNulls(value)).objects('services').map(readService)
}

/** Many brokers write null for what they do not say. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  const said = Object.entries(value).filter(([, field]) => field !== null)
  return Object.fromEntries(said.map(([name, field]) => [name, withoutNulls(field)]))
}

function readService(service: JsonFields): CatalogService {
  const name = service.text('name')
  const metadata = optionalObject(service, 'metadata')
  const requires = service.optionalTexts('requires') ?? []
  const ofService = {
    bindable: service.optionalFlag('bindable') ?? true,
    changeable: service.optionalFlag('plan_updateable') ?? false,
  }
  return {
    id: service.text('id', foreignIdPattern),
    slug: slugOf('service', name),
    name: oneLine(name),
    displayName: displayName(metadata),
    requires: [
      ...['many_per_app', 'attachable'],
      ...requires.filter((feature) => feature === 'syslog_drain'),
    ],
    unsupported: requires.filter((feature) => unsupportedFeatures.includes(feature)),
    plans: service.objects('plans').map((plan) => readPlan(plan, ofService)),
  }
}

function readPlan(
  plan: JsonFields,
  ofService: Pick<CatalogPlan, 'bindable' | 'changeable'>,
): CatalogPlan {
  const name = plan.text('name')
  const metadata = optionalObject(plan, 'metadata')
  const isFree = plan.optionalFlag('free') ?? true
  return {
    id: plan.text('id', foreignIdPattern),
    slug: slugOf('plan', name),
    name: oneLine(name),
    displayName: displayName(metadata),
    description: oneLine(plan.optionalText('description', anyText) ?? ''),
    priceCents: isFree ? 0 : priceCents(metadata),
    bindable: plan.optionalFlag('bindable') ?? ofService.bindable,
    changeable: plan.optionalFlag('plan_updateable') ?? ofService.changeable,
    optionsSchema: readOptionsSchema(plan),
  }
}

function displayName(metadata: JsonFields | undefined): string | undefined {
  return oneLine(metadata?.optionalText('displayName', anyText) ?? '') || undefined
}

/** Of the schema for an instance's parameters what a plan of ours can have. */
function readOptionsSchema(plan: JsonFields): OptionsSchema | null {
  const path = ['service_instance', 'create', 'parameters']
  return adoptOptionsSchema(
    path.reduce<unknown>((value, name) => fieldOf(value, name), plan.raw('schemas')),
  )
}

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined

/** Of the costs that some catalogs name, those that are paid each month in US dollars. */
function priceCents(metadata: JsonFields | undefined): number {
  if (metadata?.raw('costs') === undefined) return 0
  const cents = metadata.objects('costs').map((cost) => {
    const usd = optionalObject(cost, 'amount')?.raw('usd')
    const isMonthly = /^monthly$/i.test(cost.optionalText('unit') ?? '')
    return isMonthly && typeof usd === 'number' ? Math.round(usd * 100) : 0
  })
  return cents.reduce((sum, price) => sum + price, 0)
}

const optionalObject = (fields: JsonFields, field: string): JsonFields | undefined =>
  fields.raw(field) === undefined ? undefined : fields.object(field)

/** Shown in terminals: without what steers one, and not too long. */
const oneLine = (text: string): string =>
  text
    .replaceAll(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, textCharsMax)

/** "Widget Store (EU)" is widget-store-eu; names may be anything, slugs begin with a letter. */
function slugOf(kind: string, name: string): string {
  const words = name.toLowerCase().match(/[a-z0-9]+/g) ?? []
  const slug = words.join('-')
  return (/^[a-z]/.test(slug) ? slug : `${kind}-${slug || 'unnamed'}`).slice(0, 100)
}

/** @throws Error for two of the same slug. */
export function refuseSame(source: string, what: string, named: { slug: string }[]): void {
  const slugs = named.map(({ slug }) => slug)
  const same = slugs.find((slug, index) => slugs.indexOf(slug) !== index)
  if (same) throw new Error(`${source}: two ${what} would both be called ${same}`)
}

/** Of what was in force before, everything stays that the catalog does not say. */
export function manifestOf(
  service: CatalogService,
  { url, username, password }: OsbAccess,
  known: Known,
): Fields {
  const { api, ...rest } = known?.contents ?? {}
  return {
    name: service.name,
    ...rest,
    id: service.slug,
    ...(service.displayName !== undefined && { name: service.displayName }),
    api: {
      ...(typeof api === 'object' && api),
      version: 'osb',
      osb: { service_id: service.id, username },
      password,
      requires: service.requires,
      production: { base_url: url },
    },
  }
}

/**
 * The plans as the catalog has them now. One that was in force keeps its slug, whether it is hidden
 * or the default one, and what else the catalog does not say; where none is the default, the first
 * free one is. Prices come with the state that has prices.
 *
 * @throws Error when two would have the same slug.
 */
export function plansOf({ name, plans }: CatalogService, known: Known): Fields {
  const state = known?.plans['state'] ?? 'alpha'
  const pairs = plans.map((plan) => ({ plan, before: planIn(known, plan) }))
  const chosen =
    pairs.find(({ before }) => before?.['default'] === true) ??
    pairs.find(({ plan }) => plan.priceCents === 0) ??
    pairs[0]
  const declared = pairs.map(({ plan, before }) => ({
    slug: plan.slug,
    name: plan.name,
    ...before,
    ...(plan.displayName !== undefined && { name: plan.displayName }),
    ...(plan.description !== '' && { description: plan.description }),
    price_cents: state === 'ga' || state === 'shutdown' ? plan.priceCents : 0,
    default: plan === chosen?.plan,
    provider_plan_id: plan.id,
    bindable: plan.bindable,
    changeable: plan.changeable,
    options_schema: plan.optionsSchema ?? undefined,
  }))
  refuseSame(`service ${name}`, 'plans', declared)
  return { ...known?.plans, state, plans: declared }
}

/** What is in force of a plan of the catalog. */
export function planIn(known: Known, { id }: CatalogPlan): (Fields & { slug: string }) | undefined {
  const plans = (known?.plans['plans'] ?? []) as (Fields & { slug: string })[]
  return plans.find(({ provider_plan_id: planId }) => planId === id)
}
