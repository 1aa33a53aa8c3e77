/** The fields of one JSON object, each read by the kind that it must have. */
export type JsonFields = {
  /** Throws what is wrong with the field. */
  fail: (field: string, rule: string, wrong: unknown) => never
  /** The names of all its fields. */
  names: () => string[]
  /** The value as it is. */
  raw: (field: string) => unknown
  text: (field: string, pattern?: RegExp) => string
  optionalText: (field: string, pattern?: RegExp) => string | undefined
  optionalTexts: (field: string) => string[] | undefined
  /** Text that is not empty, and that no message quotes. */
  optionalSecret: (field: string) => string | undefined
  oneOf: <T extends string>(field: string, allowed: readonly T[]) => T
  optionalOneOf: <T extends string>(field: string, allowed: readonly T[]) => T | undefined
  /** 0 or more. */
  wholeNumber: (field: string) => number
  optionalFlag: (field: string) => boolean | undefined
  object: (field: string) => JsonFields
  objects: (field: string) => JsonFields[]
}

/**
 * Reads fields of a JSON object. Each mistake is an Error that names the source, the field, the
 * rule and the value: `fast-db.json: api.config_vars must be a list of texts, got "URL"`.
 *
 * @param source what the value was read from, for the message
 * @param path where in it `value` stands; empty for the whole
 */
export function jsonFields(source: string, path: string, value: unknown): JsonFields {
  const at = (field: string): string => (path === '' ? field : `${path}.${field}`)
  const fail: JsonFields['fail'] = (field, rule, wrong) => {
    throw new Error(`${source}: ${at(field)} ${rule}, got ${JSON.stringify(wrong) ?? 'nothing'}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${source}: ${path || 'the whole'} must be an object`)
  const fields = value as Record<string, unknown>

  const optionalText = (field: string, pattern = /./): string | undefined => {
    const found = fields[field]
    if (found === undefined) return undefined
    if (typeof found !== 'string') return fail(field, 'must be text', found)
    if (!pattern.test(found)) return fail(field, `must match ${pattern.source}`, found)
    return found
  }
  const oneOf = <T extends string>(field: string, allowed: readonly T[]): T =>
    allowed.find((item) => item === fields[field]) ??
    fail(field, `must be one of ${allowed.join(', ')}`, fields[field])
  return {
    fail,
    optionalText,
    text: (field, pattern) => optionalText(field, pattern) ?? fail(field, 'is required', undefined),
    optionalSecret: (field) => {
      const found = fields[field]
      if (found === undefined || (typeof found === 'string' && found !== '')) return found
      throw new Error(`${source}: ${at(field)} must be text, and not empty`)
    },
    names: () => Object.keys(fields),
    raw: (field) => fields[field],
    object: (field) => jsonFields(source, at(field), fields[field]),
    objects: (field) => {
      const found = fields[field]
      if (!Array.isArray(found)) return fail(field, 'must be a list', found)
      return found.map((item: unknown, index) => jsonFields(source, at(`${field}[${index}]`), item))
    },
    optionalTexts: (field) => {
      const found = fields[field]
      if (found === undefined) return undefined
      const isTexts = Array.isArray(found) && found.every((item) => typeof item === 'string')
      return isTexts ? found : fail(field, 'must be a list of texts', found)
    },
    oneOf,
    optionalOneOf: (field, allowed) =>
      fields[field] === undefined ? undefined : oneOf(field, allowed),
    wholeNumber: (field) => {
      const found = fields[field]
      return typeof found === 'number' && Number.isSafeInteger(found) && found >= 0
        ? found
        : fail(field, 'must be a whole number, 0 or more', found)
    },
    optionalFlag: (field) => {
      const found = fields[field]
      if (found === undefined || typeof found === 'boolean') return found
      return fail(field, 'must be true or false', found)
    },
  }
}
