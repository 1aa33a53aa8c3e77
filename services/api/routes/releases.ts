import type { FastifyReply } from 'fastify'
import { invalidParams } from '#lib/errors.ts'
import type { ReleaseList } from '#proto/apps/v1/apps_pb.ts'
import { notSupported } from '../api-refusal.ts'
import type { Api, ApiContext } from '../context.ts'
import { actorOf } from '../hooks/identity.ts'
import { describePage } from '../hooks/ranges.ts'
import { nextRange, parseRange, unsatisfiable, type Range } from '../range.ts'
import { renderConfigVars } from '../render/config-vars.ts'
import { renderRelease } from '#lib/platform-api/release.ts'
import { AppParams } from '../schemas/fields.ts'
import { CreateRelease, ReleaseParams } from '../schemas/releases.ts'
import { targetApp } from '../targets.ts'

const byVersion = ['version'] as const
// Clients ask every list for `id ..`; the order of releases is the order of their versions.
const accepted = ['version', 'id'] as const

export function releaseRoutes(api: Api, context: ApiContext): void {
  const { apps } = context

  api.get(
    '/apps/:app/releases',
    { config: { ranges: [] }, schema: { params: AppParams } },
    async (request, reply) => {
      const { id } = await targetApp(context, request)
      const range = releaseRange(request.headers.range)
      const bounds = versionBounds(range)
      if (!bounds) return []
      const list = await apps.listReleases({
        actor: actorOf(request),
        app: id,
        descending: range.descending,
        limit: range.max,
        firstVersion: bounds.first,
        lastVersion: bounds.last,
      })
      return renderPage(reply, list, range)
    },
  )

  api.post(
    '/apps/:app/releases',
    { schema: { params: AppParams, body: CreateRelease } },
    async (request, reply) => {
      const { id } = await targetApp(context, request)
      const { release: given, slug } = request.body
      if (slug !== undefined)
        throw notSupported('There are no slugs here. Give the release to roll back to.')
      const release = typeof given === 'object' ? (given.id ?? '') : String(given ?? '')
      if (release === '') throw invalidParams('Missing param: release.')
      const made = await apps.rollbackRelease({ actor: actorOf(request), app: id, release })
      reply.code(201)
      return renderRelease(made)
    },
  )

  const one = { schema: { params: ReleaseParams } }

  api.get('/apps/:app/releases/:release', one, async (request) => {
    const { id } = await targetApp(context, request)
    const { release } = request.params
    return renderRelease(await apps.getRelease({ actor: actorOf(request), app: id, release }))
  })

  api.get('/apps/:app/releases/:release/config-vars', one, async (request) => {
    const { id } = await targetApp(context, request)
    const { release } = request.params
    const found = await apps.getReleaseConfigVars({ actor: actorOf(request), app: id, release })
    return renderConfigVars(found.vars)
  })
}

function releaseRange(header: string | undefined): Range {
  const range = parseRange(header, accepted)
  const bounds = [range.start, range.end].filter((bound) => bound !== undefined)
  const isVersion = (bound: string): boolean => /^\d{1,9}$/.test(bound)
  if (!bounds.every(isVersion) || (range.property === 'id' && bounds.length > 0))
    throw unsatisfiable(byVersion)
  return { ...range, property: 'version' }
}

/**
 * The range's bounds as the apps service takes them: inclusive, 0 for open. Undefined when nothing
 * can lie between them, for then there is no number left to say so.
 */
function versionBounds(range: Range): { first: number; last: number } | undefined {
  const { start, end, startExclusive, endExclusive, descending } = range
  const step = descending ? -1 : 1
  const first = start === undefined ? 0 : Number(start) + (startExclusive ? step : 0)
  const last = end === undefined ? 0 : Number(end) - (endExclusive ? step : 0)
  const beyond = descending ? start !== undefined && first < 1 : end !== undefined && last < 1
  return beyond ? undefined : { first, last }
}

function renderPage(reply: FastifyReply, list: ReleaseList, range: Range) {
  const items = list.releases.map(renderRelease)
  const last = items.at(-1)
  const next = list.hasMore && last ? nextRange(range, String(last.version)) : undefined
  describePage(reply, {
    page: { items, next },
    properties: byVersion,
    property: 'version',
    valueOf: ({ version }) => String(version),
  })
  return items
}
