import { invalidParams } from '#lib/errors.ts'

/** What webhooks may be told of: Heroku's names. Of some of these Plexus has nothing to tell. */
const includes = [
  'api:addon',
  'api:addon-attachment',
  'api:app',
  'api:build',
  'api:collaborator',
  'api:domain',
  'api:dyno',
  'api:formation',
  'api:release',
  'api:sni-endpoint',
  'dyno',
]

/** The names without repetitions; INVALID_PARAMS, with all that there are, for any other. */
export function parseIncludes(names: string[]): string[] {
  const unknown = names.filter((name) => !includes.includes(name))
  if (names.length === 0 || unknown.length > 0) {
    const said = unknown.length === 0 ? 'nothing' : unknown.map((name) => `"${name}"`).join(', ')
    throw invalidParams(`Include has ${said}, and may have: ${includes.join(', ')}.`)
  }
  return [...new Set(names)]
}
