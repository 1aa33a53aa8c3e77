import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ErrorObject } from 'ajv'
import ajvDraft04 from 'ajv-draft-04'
import ajvFormats from 'ajv-formats'

/** Heroku's published schema, when it lies beside the repository. It is data to check against. */
export const schemaFile = resolve(
  import.meta.dirname,
  '../../../shared/heroku-schema/heroku-schema-3.sdk.json',
)
export const schemaIsHere = existsSync(schemaFile)

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

/** Drops what is no constraint, and writes strictProperties as the two constraints that it means. */
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
