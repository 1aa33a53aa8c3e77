import { parseManifest, type Manifest } from '#lib/partner-api/manifest.ts'

/** Whom a run asks: the manifest with the urls that were chosen. */
export type Target = {
  /** undefined when the manifest is too wrong to call anybody; `problem` says why. */
  manifest: Manifest | undefined
  problem: string
  /** Whether it is the provider as customers would meet it: no --test, no --url. */
  isProduction: boolean
}

export type TargetChoice = {
  /** Use the urls of api.test. */
  test: boolean
  /** Use this instead of any url of the manifest: see withUrl(). */
  url: string | undefined
}

const natsMessage =
  'its base_url is a nats:// address: such a provider is part of Plexus and speaks no HTTP'
const osbMessage =
  'its api.version is "osb": an Open Service Broker is checked by the checker of that project'
/** Stands for the urls that are put in afterwards. */
const anyUrls = { base_url: 'https://provider.invalid/heroku/resources' }

/** Never throws: what is wrong with the manifest is a finding. */
export function readTarget(source: string, value: unknown, choice: TargetChoice): Target {
  const isProduction = !choice.test && choice.url === undefined
  try {
    const manifest = chooseUrls(source, value, choice)
    const problem = whyUntested(manifest)
    return { manifest: problem === '' ? manifest : undefined, problem, isProduction }
  } catch (error) {
    return { manifest: undefined, problem: (error as Error).message, isProduction }
  }
}

function whyUntested({ baseUrl, apiVersion }: Manifest): string {
  if (apiVersion === 'osb') return osbMessage
  return baseUrl.startsWith('nats:') ? natsMessage : ''
}

function chooseUrls(source: string, value: unknown, { test, url }: TargetChoice): Manifest {
  const api = fieldsOf(fieldsOf(value)['api'])
  if (!test && url === undefined) return parseManifest(source, value)
  const chosen = test ? api['test'] : (api['production'] ?? api['test'])
  // Which urls are good for production is not asked of those that are for development.
  const parsed = parseManifest(source, {
    ...fieldsOf(value),
    api: { ...api, production: typeof chosen === 'string' ? anyUrls.base_url : anyUrls },
  })
  const given = typeof chosen === 'string' ? { base_url: chosen } : fieldsOf(chosen)
  const { base_url: baseText, sso_url: ssoText } = given
  if (url !== undefined) return withUrl(parsed, url, pathOf(baseText), pathOf(ssoText))
  const baseUrl = httpUrl(baseText)
  if (baseUrl === undefined)
    throw new Error(`${source}: api.test.base_url must be an http:// or https:// url`)
  const whole = parsed.apiVersion === '1' ? wholeUrl(baseUrl) : baseUrl
  return { ...parsed, baseUrl: whole, ssoUrl: httpUrl(ssoText) ?? '' }
}

/** Only an origin keeps the manifest's paths; a url with a path is the base_url itself. */
function withUrl(parsed: Manifest, url: string, basePath: string, ssoPath: string): Manifest {
  const { origin, pathname } = new URL(url)
  const path = basePath === '/' || basePath === '' ? '/heroku/resources' : basePath
  const baseUrl = pathname === '/' ? `${origin}${path}` : url
  return { ...parsed, baseUrl, ssoUrl: ssoPath === '' ? '' : `${origin}${ssoPath}` }
}

/** Version 1 leaves its path out. */
function wholeUrl(url: string): string {
  return url.endsWith('/heroku/resources') ? url : `${url.replace(/\/*$/, '')}/heroku/resources`
}

function httpUrl(value: unknown): string | undefined {
  const url = typeof value === 'string' ? URL.parse(value) : null
  return url && /^https?:$/.test(url.protocol) ? String(value) : undefined
}

function pathOf(value: unknown): string {
  const url = typeof value === 'string' ? URL.parse(value) : null
  return url ? url.pathname + url.search : ''
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
