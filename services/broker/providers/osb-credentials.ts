import { configVarPattern } from '#lib/partner-api/manifest.ts'
import { isStorable } from '#lib/storable.ts'
import { configVarsPerCallMax } from '../limits.ts'
import { shorten } from './resource-answer.ts'

/** Variables, or why there are none, as the end of "Acme answered with …". */
type Flattened = { config: Record<string, string> } | { unusable: string }

/**
 * Makes variables of a binding's credentials, which are any JSON: `PREFIX_KEY`, with `uri` as URL
 * where there is no `url`. Numbers and booleans become text, lists and objects JSON; null is left
 * out.
 */
export function flattenCredentials(prefix: string, credentials: unknown): Flattened {
  if (credentials === undefined || credentials === null) return { config: {} }
  if (typeof credentials !== 'object' || Array.isArray(credentials))
    return { unusable: 'credentials that are no object' }
  const given = Object.entries(credentials).filter(([, value]) => value !== null)
  if (given.length > configVarsPerCallMax)
    return { unusable: `${given.length} credentials; there can be ${configVarsPerCallMax}` }
  const hasUrl = given.some(([key]) => nameOf(key) === 'URL')
  const config: Record<string, string> = {}
  for (const [key, value] of given) {
    const word = nameOf(key)
    const name = `${prefix}_${word === 'URI' && !hasUrl ? 'URL' : word}`
    if (word === '' || !configVarPattern.test(name))
      return { unusable: `a credential "${shorten(key)}", which makes no variable` }
    if (Object.hasOwn(config, name)) return { unusable: `two credentials for ${name}` }
    const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
    if (!isStorable(text)) return { unusable: `a value of ${name} that is no text` }
    config[name] = text
  }
  return { config }
}

/** "jdbcUrl" and "jdbc-url" are JDBC_URL. */
function nameOf(key: string): string {
  return key
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '')
}
