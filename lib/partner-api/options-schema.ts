import { Errors } from 'typebox/schema'
import { invalidParams } from '#lib/errors.ts'
import { jsonFields, type JsonFields } from '#lib/json-fields.ts'

/** JSON Schema of a plan's options: an object of values, each with what can be said of it alone. */
export type OptionsSchema = {
  type: 'object'
  properties: Record<string, OptionSchema>
  required?: string[]
  additionalProperties?: boolean
}
type OptionSchema = { type: (typeof types)[number] } & Record<string, unknown>

/** An object or a list is given as JSON. */
const types = ['string', 'integer', 'number', 'boolean', 'object', 'array'] as const
/** Say nothing that a value could break. */
const annotations = ['$schema', 'title', 'description', 'default', 'examples']
const numberRules = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf']
const lengthRules = ['minLength', 'maxLength']
const ofOptions = ['type', 'properties', 'required', 'additionalProperties', ...annotations]
const ofOption = ['type', 'enum', ...numberRules, ...lengthRules, ...annotations]
/** Options that the schema of one plan may name. */
const optionsMax = 100
/** Of options and their values: both are shown in terminals. */
const namePattern = /^[^\p{Cc}]{1,200}$/u

/**
 * The schema of a plan's options; null without one. Only keywords that cost nothing to check
 * are taken: what accounts push is checked on the broker's own time, and a `pattern` can take for
 * ever.
 *
 * @throws Error that names source, field, rule and value.
 */
export function parseOptionsSchema(plan: JsonFields): OptionsSchema | null {
  if (plan.raw('options_schema') === undefined) return null
  const schema = plan.object('options_schema')
  onlyKeywords(schema, ofOptions)
  schema.oneOf('type', ['object'])
  schema.optionalFlag('additionalProperties')
  const properties = schema.object('properties')
  const names = properties.names()
  if (names.length > optionsMax)
    schema.fail('properties', `must be at most ${optionsMax}`, names.length)
  const unfit = names.find((name) => !namePattern.test(name))
  if (unfit !== undefined) schema.fail('properties', 'must have names of one line', unfit)
  for (const name of names) checkOption(properties.object(name))
  const unknown = schema.optionalTexts('required')?.find((name) => !names.includes(name))
  if (unknown !== undefined) schema.fail('required', 'must name properties', unknown)
  return plan.raw('options_schema') as OptionsSchema
}

function checkOption(option: JsonFields): void {
  onlyKeywords(option, ofOption)
  const type = option.oneOf('type', types)
  const values = option.optionalTexts('enum')
  if (values && type !== 'string') option.fail('enum', 'is for options of type string', values)
  const unfit = values?.find((value) => !namePattern.test(value))
  if (unfit !== undefined) option.fail('enum', 'must have values of one line', unfit)
  for (const rule of numberRules) {
    const value = option.raw(rule)
    if (value !== undefined && typeof value !== 'number')
      option.fail(rule, 'must be a number', value)
    if (rule === 'multipleOf' && value !== undefined && value <= 0)
      option.fail(rule, 'must be more than 0', value)
  }
  for (const rule of lengthRules) if (option.raw(rule) !== undefined) option.wholeNumber(rule)
}

function onlyKeywords(fields: JsonFields, known: string[]): void {
  const other = fields.names().find((name) => !known.includes(name))
  if (other !== undefined)
    fields.fail(other, `is not supported (${known.join(', ')} are)`, fields.raw(other))
}

/**
 * What of a stranger's schema parseOptionsSchema takes; null when that is nothing. It allows
 * all that the whole one allows.
 */
export function adoptOptionsSchema(schema: unknown): OptionsSchema | null {
  const found = Object.entries(objectOf(objectOf(schema)['properties']))
  const properties = Object.fromEntries(
    found.flatMap(([name, option]) => {
      const adopted = adoptOption(objectOf(option))
      return adopted && namePattern.test(name) ? [[name, adopted] as const] : []
    }),
  )
  const names = Object.keys(properties)
  if (names.length === 0 || names.length > optionsMax) return null
  const { required, additionalProperties, patternProperties } = objectOf(schema)
  // Where not every name that it allows is adopted, it would refuse the others.
  const isWhole = names.length === found.length && patternProperties === undefined
  return {
    type: 'object',
    properties,
    ...(Array.isArray(required) && { required: names.filter((name) => required.includes(name)) }),
    ...(isWhole && typeof additionalProperties === 'boolean' && { additionalProperties }),
  }
}

function adoptOption(option: Record<string, unknown>): OptionSchema | undefined {
  const type = types.find((known) => known === option['type'])
  if (!type) return undefined
  const rules = Object.entries(option).filter(
    ([rule, value]) => rule !== 'type' && isSound({ type, [rule]: value }),
  )
  return { type, ...Object.fromEntries(rules) }
}

function isSound(option: OptionSchema): boolean {
  try {
    checkOption(jsonFields('', '', option))
    return true
  } catch {
    return false
  }
}

const objectOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

/**
 * The options with the types that the plan gives them, as far as their texts are of these types.
 */
export function typeOptions(
  schema: OptionsSchema | null,
  options: Record<string, string>,
): Record<string, unknown> {
  const typed = Object.entries(options).map(([name, text]) => [
    name,
    typeOption(schema, name, text),
  ])
  return Object.fromEntries(typed) as Record<string, unknown>
}

function typeOption(schema: OptionsSchema | null, name: string, text: string): unknown {
  const { properties = {} } = schema ?? {}
  const type = Object.hasOwn(properties, name) ? properties[name]?.type : undefined
  if (type === undefined || type === 'string') return text
  const value = parseJson(text)
  // A number as JSON has it, and not one that is another number then.
  return typeof value === 'number' && !Number.isSafeInteger(value) && type === 'integer'
    ? text
    : (value ?? text)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * Refuses options that the plan's schema does not allow, with every reason.
 *
 * @throws PlexusError INVALID_PARAMS
 */
export function checkOptions(
  schema: OptionsSchema | null,
  options: Record<string, string>,
  plan: string,
): void {
  if (!schema) return
  const [fits, errors] = Errors(schema, typeOptions(schema, options))
  if (fits) return
  const reasons = new Set(errors.flatMap((error) => reasonsOf(error)))
  throw invalidParams(
    `These options do not fit the plan ${plan}: ${[...reasons].join('; ')}. ${usage(schema)}`,
  )
}

type SchemaError = ReturnType<typeof Errors>[1][number]

function reasonsOf(error: SchemaError): string[] {
  const name = error.instancePath.slice(1).replaceAll('~1', '/').replaceAll('~0', '~')
  if (error.keyword === 'required')
    return error.params.requiredProperties.map((missing) => `${missing} is required`)
  if (error.keyword === 'additionalProperties')
    return error.params.additionalProperties.map((other) => `there is no ${other}`)
  // Said once more of each property that additionalProperties has refused.
  if (error.keyword === 'boolean') return []
  if (error.keyword === 'enum')
    return [`${name} must be one of ${error.params.allowedValues.join(', ')}`]
  return [`${name} ${error.message}`]
}

function usage({ properties, required = [] }: OptionsSchema): string {
  const names = Object.entries(properties).map(([name, { type }]) =>
    required.includes(name) ? `--${name} ${type}` : `[--${name} ${type}]`,
  )
  return names.length === 0 ? 'It takes none.' : `It takes: -- ${names.join(' ')}`
}
