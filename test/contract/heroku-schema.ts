import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ErrorObject } from 'ajv'
import ajvDraft04 from 'ajv-draft-04'
import ajvFormats from 'ajv-formats'

/**
 * Heroku's published schemas, when they lie beside the repository. They are data to check against.
 */
const folder = resolve(import.meta.dirname, '../../../shared/heroku-schema')

/** Of the Platform API. */
export const schemaFile = resolve(folder, 'heroku-schema-3.sdk.json')
/** Of the data API: "VERB /path" to what it is asked and what it answers. */
export const dataSchemaFile = resolve(folder, 'data-api-schemas.json')
export const schemaIsHere = existsSync(schemaFile)
export const dataSchemaIsHere = existsSync(dataSchemaFile)

type Json = Record<string, unknown>
type Link = { method: string; href: string; rel: string; targetSchema?: Json; definition: string }

/** Says what is wrong with an answer; undefined when one of the schema's links allows it. */
export type CheckAnswer = (method: string, path: string, body: unknown) => string | undefined

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Reads the schema as its README says, and finds the link of a request by its method and path. */
export function loadHerokuSchema(): CheckAnswer {
  const published = JSON.parse(readFileSync(schemaFile, 'utf8')) as Json
  const links = readLinks(published)
  const schema = prepare(published) as Json
  relax(schema)
  const ajv = new ajvDraft04.default({ strict: false, allErrors: true })
  ajvFormats.default(ajv)

  return (method, path, body) => {
    const found = links.filter((link) => link.method === method && matches(link.href, path))
    if (found.length === 0) return `the schema has no ${method} ${path}`
    const complaints: string[] = []
    for (const link of found) {
      const validate = ajv.compile({ ...expected(link), definitions: schema['definitions'] })
      if (validate(body)) return undefined
      complaints.push(`${link.definition}: ${(validate.errors ?? []).map(describe).join('; ')}`)
    }
    return complaints.join(' | ')
  }
}

/** Reads the schema of the data API, of which any answer that is no refusal will do. */
export function loadDataSchema(): CheckAnswer {
  const published = JSON.parse(readFileSync(dataSchemaFile, 'utf8')) as Record<string, Json>
  const ajv = new ajvDraft04.default({ strict: false, allErrors: true })

  return (method, path, body) => {
    const [, entry] = Object.entries(published).find(([key]) => isCalled(key, method, path)) ?? []
    if (!entry) return `the schema has no ${method} ${path}`
    const complaints: string[] = []
    for (const [status, schema] of Object.entries(entry['responses'] as Json)) {
      if (!status.startsWith('2')) continue
      const validate = ajv.compile(relaxExamples(schema) as Json)
      if (validate(body)) return undefined
      complaints.push(`${status}: ${(validate.errors ?? []).map(describe).join('; ')}`)
    }
    return complaints.join(' | ')
  }
}

/** Parts of a path are written `:name` or `{name}`. */
function isCalled(key: string, method: string, path: string): boolean {
  const [verb, pattern = ''] = key.split(' ')
  return verb === method && matches(pattern.replaceAll(/:(\w+)/g, '{$1}'), path)
}

/**
 * The schema was made of examples: where they have null, it does not know what else may stand
 * there. `num` is a text in them, and a number to the CLI, which makes the name b001 of it: the CLI
 * is who asks.
 */
function relaxExamples(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(relaxExamples)
  if (!isObject(node)) return node ?? {}
  if (node['type'] === 'null') return {}
  const relaxed = Object.entries(node).map(([key, value]) => {
    if (key !== 'properties' || !isObject(value)) return [key, relaxExamples(value)]
    const properties = Object.entries(value).map(([name, property]) => [
      name,
      name === 'num' ? { type: 'integer' } : relaxExamples(property),
    ])
    return [key, Object.fromEntries(properties)]
  })
  const schema = Object.fromEntries(relaxed) as Json
  // The dialect forbids an empty list.
  if (Array.isArray(schema['required']) && schema['required'].length === 0)
    delete schema['required']
  return schema
}

const describe = ({ instancePath, message, params }: ErrorObject): string =>
  `${instancePath} ${message ?? ''} ${JSON.stringify(params)}`

function readLinks(schema: Json): Link[] {
  const definitions = schema['definitions'] as Record<string, { links?: Link[] }>
  return Object.entries(definitions).flatMap(([definition, { links = [] }]) =>
    links.map((link) => ({ ...link, definition })),
  )
}

/** An href's `{(…)}` parts stand for one part of a path each. */
function matches(href: string, path: string): boolean {
  const pattern = href
    .split(/\{[^}]*\}/)
    .map((text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('[^/]+')
  return new RegExp(`^${pattern}$`).test(path)
}

/** What a link answers: its target, else its definition; a list of that for "instances". */
function expected({ targetSchema, rel, definition }: Link): Json {
  const own: Json = { $ref: `#/definitions/${definition}` }
  const target = targetSchema ? (prepare(targetSchema) as Json) : own
  const alreadyList = [target['type']].flat().includes('array')
  return rel === 'instances' && !alreadyList ? { type: 'array', items: target } : { ...target }
}

const maps = new Set(['properties', 'patternProperties', 'definitions'])
const ignored = new Set(['$schema', 'default', 'example', 'links', 'strictProperties'])

/**
 * Drops what is no constraint, and writes strictProperties as the two constraints that it means.
 */
function prepare(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(prepare)
  if (!isObject(node)) return node
  const prepared: Json = {}
  for (const [key, value] of Object.entries(node)) {
    if (ignored.has(key) || (key === 'id' && typeof value === 'string')) continue
    prepared[key] = maps.has(key) && isObject(value) ? prepareEach(value) : prepare(value)
  }
  const { properties } = prepared
  if (node['strictProperties'] === true && isObject(properties)) {
    // The dialect forbids an empty list.
    const required = Object.keys(properties)
    if (required.length > 0) prepared['required'] = required
    prepared['additionalProperties'] = false
  }
  return prepared
}

/** In a map of schemas the keys are names, also those that look like keywords. */
function prepareEach(map: Json): Json {
  return Object.fromEntries(Object.entries(map).map(([name, schema]) => [name, prepare(schema)]))
}

/** What names Heroku's own hosts and regions, and what its CLI knows but its schema not. */
function relax(schema: Json): void {
  const at = (...path: string[]): Json =>
    path.reduce<Json>((node, key) => node[key] as Json, schema['definitions'] as Json)
  delete at('app', 'definitions', 'git_url')['pattern']
  delete at('app', 'definitions', 'web_url')['pattern']
  delete at('region', 'definitions', 'provider', 'properties', 'region')['enum']
  const state = at('add-on', 'definitions', 'state')
  state['enum'] = [...(state['enum'] as string[]), 'deprovisioning']
  const payload = at('app-webhook-event', 'definitions', 'payload', 'properties')
  payload['published_at'] = { type: 'string', format: 'date-time' }
}
