import { parseManifest, configVarPattern, slugPattern } from '#lib/partner-api/manifest.ts'
import { jsonFields, type JsonFields } from '#lib/json-fields.ts'
import { fail, pass, skipped, warn, type CheckResult } from '../check.ts'

/** What the manifest's checks need of a run: they also run when nobody can be called. */
type ManifestRun = { source: string; manifestJson: unknown }

export type ManifestCheck = { name: string; why: string; run: (run: ManifestRun) => CheckResult }

const knownRequires = ['log_input', 'syslog_drain', 'many_per_app', 'attachable', 'deploy_notify']
const secretLengthMin = 16
const fix = 'Correct the field in the manifest.'

/** A check that reads fields; what a reader throws is what is wrong. */
function fieldCheck(
  name: string,
  why: string,
  read: (root: JsonFields, api: JsonFields) => CheckResult | undefined,
): ManifestCheck {
  return {
    name,
    why,
    run: ({ source, manifestJson }) => {
      try {
        const root = jsonFields(source, '', manifestJson)
        return read(root, root.object('api')) ?? pass()
      } catch (error) {
        return fail((error as Error).message, fix)
      }
    },
  }
}

/** Answers the first finding of the target's urls that is not good for production. */
function judgeUrls(fields: JsonFields): CheckResult | undefined {
  for (const field of ['base_url', 'sso_url']) {
    const text = fields.optionalText(field)
    if (text === undefined && field === 'base_url') fields.text(field)
    if (text?.startsWith('http:'))
      return warn(
        `api.production.${field} is plain http: it works for a provider on this machine only`,
        'Serve it over https before customers come.',
      )
  }
  return undefined
}

const identityChecks: ManifestCheck[] = [
  fieldCheck('id is a slug', 'It is the name customers type and your user name.', (root) => {
    const slug = root.text('id', slugPattern)
    if (/add-?on/.test(slug))
      return warn(`id ${slug} has the word add-on in it`, 'Heroku refuses it; other platforms may.')
    return undefined
  }),
  fieldCheck('name is given', 'Customers see it.', (root) => {
    root.text('name')
    return undefined
  }),
  fieldCheck('api.version is 3', 'It chooses the calls that you get.', (_root, api) => {
    if (api.optionalOneOf('version', ['1', '3']) !== '1') return undefined
    return warn(
      'api.version is "1", which Heroku ended in 2023; Plexus still speaks it',
      'Move to "3": resources are known by uuid, and sign-on signs the uuid.',
    )
  }),
  fieldCheck('api.username is left out', 'kensa refuses it.', (_root, api) => {
    if (api.raw('username') === undefined) return undefined
    return warn('api.username is given and means nothing', 'Leave it out: the user name is id.')
  }),
]

const configChecks: ManifestCheck[] = [
  fieldCheck(
    'api.config_vars are declared, in upper case and with the prefix',
    'Only declared variables reach an app.',
    (root, api) => {
      const names = api.optionalTexts('config_vars')
      if (names === undefined)
        return warn('api.config_vars is missing, so apps get no variables', 'Declare each of them.')
      const prefix =
        api.optionalText('config_vars_prefix', configVarPattern) ??
        (api.raw('config_vars_prefix') === undefined
          ? root.text('id').toUpperCase().replaceAll('-', '_')
          : '')
      for (const name of names) {
        if (!configVarPattern.test(name) || !name.startsWith(`${prefix}_`))
          api.fail('config_vars', `must be in upper case and start with ${prefix}_`, name)
      }
      return undefined
    },
  ),
  fieldCheck('api.regions name a region', 'Elsewhere the service is not offered.', (_root, api) => {
    const regions = api.optionalTexts('regions')
    if (regions === undefined)
      return warn('api.regions is missing, which means every region', 'Say ["*"], or which.')
    if (regions.length === 0) api.fail('regions', 'must name a region, or "*" for all', regions)
    if (regions.includes('us') || regions.includes('*')) return undefined
    return warn('api.regions has neither us nor *, which kensa asks for', 'Add one if you can.')
  }),
  fieldCheck('api.requires are known features', 'Others have no effect.', (_root, api) => {
    const unknown = (api.optionalTexts('requires') ?? []).filter(
      (feature) => !knownRequires.includes(feature),
    )
    if (unknown.length === 0) return undefined
    return warn(`api.requires has ${unknown.join(', ')}`, `Known: ${knownRequires.join(', ')}.`)
  }),
]

/** Secrets are never quoted. */
function secretCheck(field: 'password' | 'sso_salt', why: string): ManifestCheck {
  return fieldCheck(`api.${field} is a secret`, why, (_root, api) => {
    const value = api.raw(field)
    const production = api.raw('production')
    const hasSso = typeof production === 'object' && production !== null && 'sso_url' in production
    if (value === undefined && field === 'sso_salt' && !hasSso)
      return skipped('there is no sso_url')
    if (typeof value !== 'string' || value === '')
      return fail(`api.${field} must be text that is not empty, got ${typeof value}`, fix)
    if (value.length < secretLengthMin)
      return warn(`api.${field} is short`, `Make up at least ${secretLengthMin} random characters.`)
    return undefined
  })
}

const urlChecks: ManifestCheck[] = [
  fieldCheck(
    'api.production has https urls',
    'That is where the platform calls you.',
    (root, api) => {
      const production = api.raw('production')
      // The rule for urls is the platform's own; the other fields are put right for it.
      const others = { id: 'any', name: 'any', password: 'any', sso_salt: 'any' }
      parseManifest('manifest', {
        ...others,
        api: { ...others, version: api.raw('version') === '1' ? '1' : '3', production },
      })
      if (typeof production !== 'string') return judgeUrls(api.object('production'))
      if (root.object('api').raw('version') === '3')
        api.fail('production', 'must be an object with base_url in version 3', production)
      return undefined
    },
  ),
  fieldCheck('api.test has urls', 'kensa and this command with --test call them.', (_root, api) => {
    const test = api.raw('test')
    if (test === undefined)
      return warn(
        'api.test is missing, which kensa refuses; version 3 works without',
        'Add {"base_url", "sso_url"} of your development server, for --test.',
      )
    const urls = typeof test === 'string' ? [test] : [api.object('test').text('base_url')]
    const isHttp = urls.every((url) => /^https?:$/.test(URL.parse(url)?.protocol ?? ''))
    if (!isHttp) api.fail('test', 'must have http:// or https:// urls', test)
    return undefined
  }),
]

export const manifestChecks: ManifestCheck[] = [
  ...identityChecks,
  ...configChecks,
  secretCheck('password', 'It is all that keeps others from calling you.'),
  secretCheck('sso_salt', 'Who knows it can sign on as any customer.'),
  ...urlChecks,
]
