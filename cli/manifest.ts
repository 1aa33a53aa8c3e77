import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { readJsonFile } from '#lib/json-file.ts'
import { writeWhole } from '#lib/whole-file.ts'
import { platformApi, type PlatformApi } from '../client/platform-api.ts'
import { readAccess } from './access.ts'
import { defineCommand, UsageError } from './command.ts'
import { differences } from './json-differences.ts'

type Fields = Record<string, unknown>
type Revision = { contents: Fields; plans: Fields }

const plansHelp = `Beside FILE.json, FILE.plans.json declares the plans, where there is one.`

export const manifestPush = defineCommand({
  usage: 'manifest push FILE',
  summary: "Pushes an add-on provider's manifest, and the plans beside it",
  help: `${plansHelp}
The first push makes the service yours, in alpha, and prints the client secret with which the
provider trades its grants: it is not shown again. Afterwards both files are what is in force,
"$base" included: the next push has to name it.`,
  options: {},
  argumentNames: ['FILE'],
  run: async ({ positionals: [file = ''], env }) => {
    const { slug, contents, plans } = await readFiles(file)
    const api = platformApi(await readAccess(env))
    const pushed = await api<Revision & { client_secret?: string }>('POST', manifests(slug), {
      body: { contents, ...(plans && { plans }) },
    })
    process.stdout.write(`${slug} is pushed, revision ${String(pushed.contents['$base'])}.\n`)
    // Before anything else that could fail: it is seen here and nowhere else.
    if (pushed.client_secret) process.stdout.write(explainSecret(pushed.client_secret))
    await writeFiles(file, pushed, { plans: plans !== undefined })
    return 0
  },
})

export const manifestPull = defineCommand({
  usage: 'manifest pull SLUG',
  summary: 'Writes the manifest in force, and its plans, to SLUG.json and SLUG.plans.json',
  help: `      --file FILE   write to FILE.json and FILE.plans.json instead`,
  options: { file: { type: 'string' } },
  argumentNames: ['SLUG'],
  run: async ({ values, positionals: [slug = ''], env }) => {
    const file = values.file ?? `${slug}.json`
    const revision = await current(platformApi(await readAccess(env)), slug)
    await writeFiles(file, revision, { plans: true })
    process.stdout.write(`${file} and ${plansFile(file)} are written.\n`)
    return 0
  },
})

export const manifestDiff = defineCommand({
  usage: 'manifest diff FILE',
  summary: 'Shows what a push of FILE would change; 1 when there is something',
  help: plansHelp,
  options: {},
  argumentNames: ['FILE'],
  run: async ({ positionals: [file = ''], env }) => {
    const { slug, contents, plans } = await readFiles(file)
    const inForce = await current(platformApi(await readAccess(env)), slug)
    const lines = [
      ...differences(hideSecrets(inForce.contents), hideSecrets(contents)),
      ...(plans ? differences(inForce.plans, plans, 'plans') : []),
    ]
    process.stdout.write(lines.map((line) => `${line}\n`).join(''))
    return lines.length === 0 ? 0 : 1
  },
})

export const manifestSecret = defineCommand({
  usage: 'manifest secret SLUG',
  summary: 'Makes a new client secret for an add-on provider',
  help: `The old one ends at once, and every access token that was got with it; the provider gets new
ones with its refresh tokens and the new secret.`,
  options: {},
  argumentNames: ['SLUG'],
  run: async ({ positionals: [slug = ''], env }) => {
    const api = platformApi(await readAccess(env))
    const path = `/api/v3/addons/${encodeURIComponent(slug)}/client_secret`
    const { client_secret: secret } = await api<{ client_secret: string }>('POST', path)
    process.stdout.write(explainSecret(secret))
    return 0
  },
})

const explainSecret = (secret: string): string =>
  `client secret  ${secret}\n` +
  'Keep it: it is not shown again. With it the provider trades its grants for tokens.\n'

const manifests = (slug: string): string => `/api/v3/addons/${encodeURIComponent(slug)}/manifests`

/** Terminals are logged. Two that differ still differ. */
function hideSecrets(contents: Fields): Fields {
  const api = contents['api']
  if (typeof api !== 'object' || api === null) return contents
  const hidden = Object.entries(api).map(([name, value]) =>
    name === 'password' || name === 'sso_salt'
      ? [name, `SHA-256 ${digest(value)}…`]
      : [name, value],
  )
  return { ...contents, api: Object.fromEntries(hidden) as Fields }
}

const digest = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 8)

function current(api: PlatformApi, slug: string): Promise<Revision> {
  return api<Revision>('GET', `/api/v3/addons/${encodeURIComponent(slug)}/current_manifest`)
}

const plansFile = (file: string): string => file.replace(/(\.json)?$/, '.plans.json')

async function readFiles(
  file: string,
): Promise<{ slug: string; contents: Fields; plans: Fields | undefined }> {
  const contents = await readJson(file)
  if (!contents) throw new UsageError(`There is no file ${file}.`)
  const slug = contents['id']
  if (typeof slug !== 'string')
    throw new Error(`${basename(file)}: id must be text: the slug of the add-on service.`)
  return { slug, contents, plans: await readJson(plansFile(file)) }
}

/** Undefined when there is no such file. */
async function readJson(file: string): Promise<Fields | undefined> {
  try {
    return (await readJsonFile(file)) as Fields
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function writeFiles(
  file: string,
  { contents, plans }: Revision,
  wanted: { plans: boolean },
): Promise<void> {
  const asText = (value: Fields): string => `${JSON.stringify(value, null, 2)}\n`
  // It has the password of the provider in it.
  await writeWhole(file, asText(contents), { mode: 0o600 })
  if (wanted.plans) await writeWhole(plansFile(file), asText(plans), { mode: 0o644 })
}
