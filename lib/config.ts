import { resolve } from 'node:path'
import { isAddressRange } from '#lib/address-ranges.ts'

/**
 * Configuration is one list per service (its config.ts): read once at start, frozen, secrets taken
 * out of the environment so that no child process and no crash report carries them.
 * Nothing else in the project reads process.env of a service.
 */
type Setting<T> = {
  readonly env: string
  readonly help: string
  readonly secret: boolean
  readonly fallback: T | undefined
  readonly parse: (text: string) => T
}

type Settings = Record<string, Setting<unknown>>

export type ConfigOf<S extends Settings> = {
  readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never
}

type Options<T> = { fallback?: T; help: string }

function setting<T>(
  env: string,
  options: Options<T>,
  parse: (text: string) => T,
  secret = false,
): Setting<T> {
  return { env, help: options.help, secret, fallback: options.fallback, parse }
}

export const text = (env: string, options: Options<string>): Setting<string> =>
  setting(env, options, (value) => value)

/**
 * Like text, and deleted from the environment once read; `parse` throws what it wants instead,
 * without the value.
 */
export const secret = (
  env: string,
  options: Options<string>,
  parse = (value: string) => value,
): Setting<string> => setting(env, options, parse, true)

export const integer = (env: string, options: Options<number>): Setting<number> =>
  setting(env, options, (value) => {
    if (!/^\d+$/.test(value) || !Number.isSafeInteger(Number(value)))
      throw new Error(`wants a whole number of 0 or more, got ${JSON.stringify(value)}`)
    return Number(value)
  })

export const port = (env: string, options: Options<number>): Setting<number> =>
  setting(env, options, (value) => {
    const number = Number(value)
    if (!/^\d+$/.test(value) || number > 65_535)
      throw new Error(`wants a port from 0 to 65535, got ${JSON.stringify(value)}`)
    return number
  })

export const flag = (env: string, options: Options<boolean>): Setting<boolean> =>
  setting(env, options, (value) => {
    if (value === 'true' || value === '1') return true
    if (value === 'false' || value === '0') return false
    throw new Error(`wants true or false, got ${JSON.stringify(value)}`)
  })

/** In a form of the service's own; `parse` throws what it wants instead. */
export const custom = <T>(
  env: string,
  parse: (value: string) => T,
  options: Options<T>,
): Setting<T> => setting(env, options, parse)

/** Of every service that runs workflows. */
export const workflowLease = integer('PLEXUS_WORKFLOW_LEASE_SECONDS', {
  fallback: 10,
  help: 'how long after a kill -9 another process goes on with its work, in seconds',
})

/** Of the broker, which sells the plans in it, and of our own providers, which hold them. */
export const addonManifests = text('PLEXUS_ADDON_MANIFESTS', {
  fallback: resolve(import.meta.dirname, '../addon-manifests'),
  help: 'folder with the manifests of add-ons and their plans',
})

/** IP addresses and CIDR ranges, separated by commas. */
export const addressRanges = (env: string, options: Options<string[]>): Setting<string[]> =>
  setting(env, options, (value) => {
    const ranges = value.split(',').map((part) => part.trim())
    for (const range of ranges)
      if (!isAddressRange(range))
        throw new Error(`wants addresses such as 10.0.0.0/8, got ${JSON.stringify(range)}`)
    return ranges
  })

/**
 * Reads every setting of the list, or throws one error that names all that are missing or wrong
 * and says what each is for.
 */
export function readConfig<S extends Settings>(settings: S, env: NodeJS.ProcessEnv): ConfigOf<S> {
  const config: Record<string, unknown> = {}
  const complaints: string[] = []
  for (const [key, item] of Object.entries(settings)) {
    const value = env[item.env]
    try {
      if (value !== undefined && value !== '') config[key] = item.parse(value)
      else if (item.fallback !== undefined) config[key] = item.fallback
      else complaints.push(`${item.env} is not set: ${item.help}`)
    } catch (error) {
      complaints.push(`${item.env} ${(error as Error).message}: ${item.help}`)
    }
    if (item.secret) delete env[item.env]
  }
  if (complaints.length > 0) throw new Error(`configuration:\n  ${complaints.join('\n  ')}`)
  return Object.freeze(config) as ConfigOf<S>
}
