import { readFile } from 'node:fs/promises'
import { ApiError, platformApi, type PlatformApi } from '../client/platform-api.ts'
import { sendCall } from '../provider-check/http-call.ts'
import { readAccess } from './access.ts'
import { defineCommand, UsageError } from './command.ts'
import {
  manifestOf,
  planIn,
  plansOf,
  readCatalog,
  refuseSame,
  type CatalogService,
  type Known,
  type OsbAccess,
  type Revision,
} from './osb-catalog.ts'

const catalogTimeoutMs = 30_000
const passwordVariable = 'PLEXUS_OSB_PASSWORD'

export const manifestImport = defineCommand({
  usage: 'manifest import URL',
  summary: 'Makes add-on services of the catalog of an Open Service Broker, and pushes them',
  help: `Asks the broker at URL for its catalog (GET URL/v2/catalog), and pushes a manifest and plans for
each service in it. Run it again when the catalog has changed. What was pushed before is kept where
the catalog does not say otherwise: a plan is the one with its id in the catalog, and keeps its slug
and whether it is hidden or the default. A plan that has left the catalog is retired: nobody can have
it any more, and what has it keeps it.

      --user NAME            the broker's user for platforms
      --password-file FILE   a file with its password; without it ${passwordVariable} in the environment
      --only SLUG            only this service; may be repeated
      --prefix TEXT          put before each slug, where somebody else has it
      --dry-run              show what would be pushed, and push nothing`,
  options: {
    user: { type: 'string' },
    'password-file': { type: 'string' },
    only: { type: 'string', multiple: true, default: [] },
    prefix: { type: 'string', default: '' },
    'dry-run': { type: 'boolean', default: false },
  },
  argumentNames: ['URL'],
  run: async ({ values, positionals: [url = ''], env }) => {
    const access = {
      url: readUrl(url),
      username: values.user ?? missing('--user is missing.'),
      password: await readPassword(values['password-file'], env),
    }
    const catalog = readCatalog('catalog', await fetchCatalog(access))
    const wanted = choose(catalog, values.prefix, values.only)
    const api = values['dry-run'] ? undefined : platformApi(await readAccess(env))
    const drafts: { service: CatalogService; revision: Revision }[] = []
    // All of them before the first is pushed: one that cannot be made stops the import.
    for (const service of wanted) {
      const revision = draft(service, access, api && (await current(api, service)))
      drafts.push({ service, revision })
    }
    for (const { service, revision } of drafts) {
      const pushed = api && (await push(api, service, revision))
      process.stdout.write(
        pushed ? sayPushed(service, pushed) : `${service.slug} would be pushed:\n`,
      )
      process.stdout.write(describePlans(service, pushed ?? revision))
    }
    return 0
  },
})

const missing = (message: string): never => {
  throw new UsageError(message)
}

function readUrl(text: string): string {
  const url = URL.parse(text)
  if (!url || !/^https?:$/.test(url.protocol))
    throw new UsageError(`URL must be an http:// or https:// url, not "${text}".`)
  if (url.username !== '' || url.password !== '')
    throw new UsageError('Give user and password by --user and --password-file, not in the URL.')
  return text.replace(/\/*(v2\/catalog)?\/*$/, '')
}

async function readPassword(file: string | undefined, env: NodeJS.ProcessEnv): Promise<string> {
  const text = file === undefined ? env[passwordVariable] : await readFile(file, 'utf8')
  return text?.trim() || missing(`Give the password by --password-file or ${passwordVariable}.`)
}

async function fetchCatalog({ url, username, password }: OsbAccess): Promise<unknown> {
  const basic = Buffer.from(`${username}:${password}`).toString('base64')
  const headers = {
    authorization: `Basic ${basic}`,
    accept: 'application/json',
    'x-broker-api-version': '2.17',
  }
  const { signal } = new AbortController()
  const call = { method: 'GET', url: `${url}/v2/catalog`, headers }
  const answer = await sendCall(call, { timeoutMs: catalogTimeoutMs, signal })
  if (!answer.answered) throw new Error(`The broker at ${url} does not answer: ${answer.detail}.`)
  const { status, json } = answer
  if (status === 401 || status === 403)
    throw new Error(`The broker at ${url} does not accept that user and password (${status}).`)
  if (status === 412) throw new Error(`The broker at ${url} does not speak version 2.17 (412).`)
  if (status !== 200 || json === undefined)
    throw new Error(`${url}/v2/catalog answers ${status}${status === 200 ? ' without JSON' : ''}.`)
  return json
}

function choose(catalog: CatalogService[], prefix: string, only: string[]): CatalogService[] {
  const named = catalog.map((service) => ({ ...service, slug: `${prefix}${service.slug}` }))
  const unknown = only.find((slug) => !named.some((service) => service.slug === slug))
  if (unknown !== undefined)
    throw new UsageError(`No ${unknown} in ${named.map(({ slug }) => slug).join(', ')}.`)
  const wanted = only.length === 0 ? named : named.filter(({ slug }) => only.includes(slug))
  const left = wanted.filter(({ unsupported }) => unsupported.length > 0)
  for (const { slug, unsupported } of left)
    process.stderr.write(`${slug} is left out: Plexus has no ${unsupported.join(', ')}.\n`)
  const usable = wanted.filter(({ unsupported }) => unsupported.length === 0)
  if (usable.length === 0) throw new Error('There is nothing to import in that catalog.')
  refuseSame('catalog', 'services', usable)
  return usable
}

const pathOf = ({ slug }: CatalogService): string => `/api/v3/addons/${encodeURIComponent(slug)}`

/** What is in force of it. */
function current(api: PlatformApi, service: CatalogService): Promise<Known> {
  return api<Revision>('GET', `${pathOf(service)}/current_manifest`).catch((error: unknown) => {
    if (error instanceof ApiError && error.status === 404) return undefined
    throw error
  })
}

function draft(service: CatalogService, access: OsbAccess, known: Known): Revision {
  return { contents: manifestOf(service, access, known), plans: plansOf(service, known) }
}

/** Answers what is in force afterwards. */
function push(api: PlatformApi, service: CatalogService, body: Revision): Promise<Revision> {
  return api<Revision>('POST', `${pathOf(service)}/manifests`, { body })
}

const sayPushed = ({ slug }: CatalogService, { contents, plans }: Revision): string =>
  `${slug} is pushed in ${String(plans['state'])}, revision ${String(contents['$base'])}:\n`

function describePlans({ plans }: CatalogService, revision: Revision): string {
  const lines = plans.map((plan) => ({
    name: planIn(revision, plan)?.slug ?? '',
    cost: price(plan.priceCents),
  }))
  const width = Math.max(...lines.map(({ name }) => name.length))
  return lines.map(({ name, cost }) => `  ${name.padEnd(width)}  ${cost}\n`).join('')
}

const price = (cents: number): string =>
  cents === 0 ? 'free' : `$${(cents / 100).toFixed(2)} a month, once the service is ga`
