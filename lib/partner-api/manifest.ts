import { isLocalHost } from '#lib/target-guard.ts'
import { jsonFields, type JsonFields } from '#lib/json-fields.ts'

/**
 * Version 1 of the Partner API is the one before uuids; providers of that time still run. "osb" is
 * no version of it, but the Open Service Broker API.
 */
const apiVersions = ['1', '3', 'osb'] as const
export type PartnerApiVersion = (typeof apiVersions)[number]

/**
 * An add-on provider's manifest, in Heroku's format (Dev Center, "Add-on Manifest"), as it is used:
 * what a version leaves open is filled in.
 */
export type Manifest = {
  /** Of the service; also the provider's user name for calls in both directions. */
  slug: string
  humanName: string
  cliPluginName: string
  apiVersion: PartnerApiVersion
  /** Every variable that the provider may answer with. */
  configVars: string[]
  configVarsPrefix: string
  regions: string[]
  /** Features; those that nobody knows are kept and mean nothing. */
  requires: string[]
  /** Empty where the carrier needs none: nats. */
  password: string
  ssoSalt: string
  /**
   * Its scheme chooses the carrier: https (Heroku's contract, or the Open Service Broker API) or
   * nats (a provider of our own).
   */
  baseUrl: string
  /** Where a browser is sent with a form; empty: no dashboard, or that of version 1 by GET. */
  ssoUrl: string
  /** Of a service of an Open Service Broker only. */
  osb: { serviceId: string; username: string } | undefined
}

export const slugPattern = /^[a-z][a-z0-9-]{0,99}$/
export const configVarPattern = /^[A-Z][A-Z0-9_]{0,199}$/
/** Shown in terminals: one line, and nothing in it that steers one. */
export const shownTextPattern = /^[^\p{Cc}]{1,500}$/u
/** A provider's own id of a service or a plan; it goes into urls. */
export const foreignIdPattern = /^[^\p{Cc}]{1,200}$/u
/** Entries of each list in a manifest. */
const entriesMax = 100
const natsUrlPattern = /^nats:\/\/[a-z][a-z0-9-]*$/
/** The path of version 1, which the platform appends where the manifest leaves it out. */
const pathOfVersion1 = '/heroku/resources'

/**
 * Reads a manifest of version 1 or 3: production as an object of urls or, in version 1, as the
 * root url of the provider. Unknown fields are passed over.
 *
 * @param source its file or origin, for errors
 * @throws Error that names source, field, rule and value
 */
export function parseManifest(source: string, value: unknown): Manifest {
  const root = jsonFields(source, '', value)
  const api = root.object('api')
  const slug = root.text('id', slugPattern)
  const prefix =
    api.optionalText('config_vars_prefix', configVarPattern) ??
    slug.toUpperCase().replaceAll('-', '_')
  const urls = parseUrls(api)
  const secretsNeeded = !urls.baseUrl.startsWith('nats:')
  const manifest = {
    slug,
    humanName: root.text('name', shownTextPattern),
    cliPluginName: root.optionalText('cli_plugin_name', shownTextPattern) ?? '',
    configVars: parseConfigVars(api, prefix),
    configVarsPrefix: prefix,
    regions: parseRegions(api),
    requires: texts(api, 'requires'),
    ...urls,
    password: secretsNeeded ? parsePassword(api) : '',
    ssoSalt: (secretsNeeded && api.optionalSecret('sso_salt')) || '',
    osb: urls.apiVersion === 'osb' ? parseOsb(api) : undefined,
  }
  if (urls.ssoUrl !== '' && manifest.ssoSalt === '')
    api.fail('sso_salt', 'is required beside sso_url', undefined)
  return manifest
}

/** Whose id in the catalog it is, and who calls: one broker has one user for all its services. */
function parseOsb(api: JsonFields): Manifest['osb'] {
  const osb = api.object('osb')
  return {
    serviceId: osb.text('service_id', foreignIdPattern),
    // A colon would end it: it is half of HTTP's basic authentication.
    username: osb.text('username', /^[^\p{Cc}:]{1,200}$/u),
  }
}

function parsePassword(api: JsonFields): string {
  return api.optionalSecret('password') ?? api.fail('password', 'is required', undefined)
}

function texts(api: JsonFields, field: string): string[] {
  const found = api.optionalTexts(field) ?? []
  if (found.length > entriesMax)
    api.fail(field, `must have at most ${entriesMax} entries`, found.length)
  return found
}

function parseConfigVars(api: JsonFields, prefix: string): string[] {
  const names = texts(api, 'config_vars')
  for (const name of names) {
    if (!configVarPattern.test(name) || !name.startsWith(`${prefix}_`))
      api.fail('config_vars', `must be in upper case and start with ${prefix}_`, name)
  }
  return names
}

function parseRegions(api: JsonFields): string[] {
  const regions = api.raw('regions') === undefined ? ['*'] : texts(api, 'regions')
  if (regions.length === 0) api.fail('regions', 'must name a region, or "*" for all', regions)
  return regions
}

function parseUrls(api: JsonFields): Pick<Manifest, 'apiVersion' | 'baseUrl' | 'ssoUrl'> {
  const production = api.raw('production')
  // Manifests older than the field have the root url of the provider and nothing else.
  const rootUrl = typeof production === 'string' ? production : undefined
  const apiVersion = api.optionalOneOf('version', apiVersions) ?? (rootUrl ? '1' : '3')
  if (rootUrl !== undefined) {
    checkUrl(api, 'production', rootUrl)
    return { apiVersion, baseUrl: rootUrl.replace(/\/*$/, pathOfVersion1), ssoUrl: '' }
  }
  const fields = api.object('production')
  const given = fields.text('base_url')
  checkUrl(fields, 'base_url', given)
  if (apiVersion === 'osb') return { apiVersion, baseUrl: osbUrl(fields, given), ssoUrl: '' }
  const ssoUrl = fields.optionalText('sso_url') ?? ''
  if (ssoUrl !== '') checkUrl(fields, 'sso_url', ssoUrl)
  const isWhole = apiVersion === '3' || given.endsWith(pathOfVersion1)
  return { apiVersion, baseUrl: isWhole ? given : given.replace(/\/*$/, pathOfVersion1), ssoUrl }
}

function osbUrl(fields: JsonFields, given: string): string {
  if (given.startsWith('nats:'))
    fields.fail('base_url', 'must be an https:// url where version is "osb"', given)
  return given.replace(/\/*$/, '')
}

/** https, nats for our own, and http where nothing of it leaves the machine or its network. */
function checkUrl(fields: JsonFields, field: string, text: string): void {
  if (natsUrlPattern.test(text) && field === 'base_url') return
  const url = URL.parse(text)
  const isLocal = url !== null && (url.hostname === 'localhost' || isLocalHost(url.hostname))
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLocal)) {
    if (url.username !== '' || url.password !== '')
      fields.fail(field, 'must hold no user and password; they are id and api.password', '…')
    // Ids of resources are put behind it.
    if (field !== 'sso_url' && (url.search !== '' || url.hash !== ''))
      fields.fail(field, 'must have neither a query nor a fragment', text)
    return
  }
  fields.fail(field, 'must be an https:// url', text)
}
