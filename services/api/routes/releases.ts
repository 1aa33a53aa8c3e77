import { invalidParams } from '#lib/errors.ts'
import { notSupported } from '../api-refusal.ts'
import type { Api, ApiContext } from '../context.ts'
import { actorOf } from '../hooks/identity.ts'
import { pageByNumber } from '../number-range.ts'
import { renderConfigVars } from '../render/config-vars.ts'
import { renderRelease } from '#lib/platform-api/release.ts'
import { AppParams } from '../schemas/fields.ts'
import { CreateRelease, ReleaseParams } from '../schemas/releases.ts'
import { targetApp } from '../targets.ts'

export function releaseRoutes(api: Api, context: ApiContext): void {
  const { apps } = context

  api.get(
    '/apps/:app/releases',
    { config: { ranges: [] }, schema: { params: AppParams } },
    async (request, reply) => {
      const { id } = await targetApp(context, request)
      return pageByNumber(request, reply, {
        ...{ property: 'version', highest: 2 ** 32 - 1, render: renderRelease },
        numberOf: ({ version }) => version,
        ask: async ({ descending, limit, first: firstVersion, last: lastVersion }) => {
          const { releases: items, hasMore } = await apps.listReleases({
            ...{ actor: actorOf(request), app: id },
            ...{ descending, limit, firstVersion, lastVersion },
          })
          return { items, hasMore }
        },
      })
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
