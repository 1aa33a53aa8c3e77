import { invalidParams } from '#lib/errors.ts'

/** What an option can be to a provider, in the words of JSON Schema; all come as text. */
export const optionTypes = ['string', 'integer', 'number', 'boolean', 'object', 'array'] as const
export type OptionTypes = Record<string, (typeof optionTypes)[number]>

/**
 * The options as a provider with typed parameters wants them; one without a type stays text.
 *
 * @throws PlexusError INVALID_PARAMS that names the option, the type and the value
 */
export function typeOptions(
  options: Record<string, string>,
  types: OptionTypes,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).map(([name, text]) => {
      const type = Object.hasOwn(types, name) ? types[name] : undefined
      if (type === undefined || type === 'string') return [name, text]
      const value = parse(text)
      if (isOf(type, value)) return [name, value]
      throw invalidParams(`The option ${name} must be ${articles[type]} ${type}, not "${text}".`)
    }),
  )
}

const articles = { integer: 'an', number: 'a', boolean: 'a', object: 'an', array: 'an' }

function isOf(type: keyof typeof articles, value: unknown): boolean {
  if (type === 'integer') return Number.isSafeInteger(value)
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value)
  return typeof value === type
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
