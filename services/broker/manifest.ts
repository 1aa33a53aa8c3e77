import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

type PlanDeclaration = {
  slug: string
  humanName: string
  description: string
  /** A month. */
  priceCents: number
  isDefault: boolean
}

/** What a manifest and the plans beside it declare: an add-on service as the broker needs it. */
export type ServiceDeclaration = {
  slug: string
  humanName: string
  state: 'alpha' | 'beta' | 'ga' | 'shutdown'
  cliPluginName: string
  baseUrl: string
  configVars: string[]
  configVarsPrefix: string
  defaultAttachmentName: string
  supportsMultipleInstallations: boolean
  supportsSharing: boolean
  plans: PlanDeclaration[]
}

const slugPattern = /^[a-z][a-z0-9-]*$/
const configVarPattern = /^[A-Z][A-Z0-9_]*$/
const baseUrlPattern = /^nats:\/\/[a-z][a-z0-9-]*$/
const states = ['alpha', 'beta', 'ga', 'shutdown'] as const
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
      const manifest = await readJson(join(folder, file))
      const plans = await readJson(join(folder, plansFile))
      return parseService({ file, value: manifest }, { file: plansFile, value: plans })
    }),
  )
}

type Source = { file: string; value: unknown }

/** The declaration in a manifest and its plans file, or an error that says what is wrong where. */
export function parseService(manifest: Source, plans: Source): ServiceDeclaration {
  const root = reader(manifest.file, '', manifest.value)
  const api = root.object('api')
  const slug = root.text('id', slugPattern)
  const prefix =
    api.optionalText('config_vars_prefix', configVarPattern) ??
    slug.toUpperCase().replaceAll('-', '_')
  const requires = api.optionalTexts('requires') ?? []
  const ours = reader(plans.file, '', plans.value)
  return {
    slug,
    humanName: root.text('name'),
    state: ours.oneOf('state', states),
    cliPluginName: root.optionalText('cli_plugin_name') ?? '',
    baseUrl: api.object('production').text('base_url', baseUrlPattern),
    configVars: configVars(api, prefix),
    configVarsPrefix: prefix,
    defaultAttachmentName: ours.optionalText('default_attachment_name', configVarPattern) ?? prefix,
    supportsMultipleInstallations: requires.includes('many_per_app'),
    supportsSharing: requires.includes('attachable'),
    plans: parsePlans(ours),
  }
}

function configVars(api: Reader, prefix: string): string[] {
  const names = api.optionalTexts('config_vars') ?? []
  for (const name of names) {
    if (!configVarPattern.test(name) || !name.startsWith(`${prefix}_`))
      api.fail('config_vars', `must be in upper case and start with ${prefix}_`, name)
  }
  return names
}

function parsePlans(ours: Reader): PlanDeclaration[] {
  const plans = ours.objects('plans').map((plan) => ({
    slug: plan.text('slug', slugPattern),
    humanName: plan.text('name'),
    description: plan.optionalText('description') ?? '',
    priceCents: plan.wholeNumber('price_cents'),
    isDefault: plan.optionalFlag('default') ?? false,
  }))
  const slugs = plans.map(({ slug }) => slug)
  if (new Set(slugs).size !== slugs.length)
    ours.fail('plans', 'must have slugs of their own', slugs)
  const defaults = plans.filter(({ isDefault }) => isDefault).map(({ slug }) => slug)
  if (defaults.length !== 1) ours.fail('plans', 'must have exactly one default', defaults)
  return plans
}

async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8')
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Error(`${file} is not JSON: ${(error as Error).message}`, { cause: error })
  }
}

type Reader = ReturnType<typeof reader>

/** Reads fields of a JSON object; each mistake is an error with file, field, rule and value. */
function reader(file: string, path: string, value: unknown) {
  const at = (field: string): string => (path === '' ? field : `${path}.${field}`)
  const fail = (field: string, rule: string, wrong: unknown): never => {
    throw new Error(`${file}: ${at(field)} ${rule}, got ${JSON.stringify(wrong) ?? 'nothing'}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${file}: ${path || 'the file'} must be an object`)
  const fields = value as Record<string, unknown>

  const optionalText = (field: string, pattern = /./): string | undefined => {
    const found = fields[field]
    if (found === undefined) return undefined
    if (typeof found !== 'string') return fail(field, 'must be text', found)
    if (!pattern.test(found)) return fail(field, `must match ${pattern.source}`, found)
    return found
  }
  return {
    fail,
    optionalText,
    text: (field: string, pattern?: RegExp): string =>
      optionalText(field, pattern) ?? fail(field, 'is required', undefined),
    object: (field: string) => reader(file, at(field), fields[field]),
    objects: (field: string) => {
      const found = fields[field]
      if (!Array.isArray(found)) return fail(field, 'must be a list', found)
      return found.map((item: unknown, index) => reader(file, at(`${field}[${index}]`), item))
    },
    optionalTexts: (field: string): string[] | undefined => {
      const found = fields[field]
      if (found === undefined) return undefined
      const isTexts = Array.isArray(found) && found.every((item) => typeof item === 'string')
      return isTexts ? found : fail(field, 'must be a list of texts', found)
    },
    oneOf: <T extends string>(field: string, allowed: readonly T[]): T =>
      allowed.find((item) => item === fields[field]) ??
      fail(field, `must be one of ${allowed.join(', ')}`, fields[field]),
    wholeNumber: (field: string): number => {
      const found = fields[field]
      return typeof found === 'number' && Number.isSafeInteger(found) && found >= 0
        ? found
        : fail(field, 'must be a whole number, 0 or more', found)
    },
    optionalFlag: (field: string): boolean | undefined => {
      const found = fields[field]
      if (found === undefined || typeof found === 'boolean') return found
      return fail(field, 'must be true or false', found)
    },
  }
}
