import { invalidParams } from '#lib/errors.ts'
import { notSupported } from '../api-refusal.ts'
import type { Api, ApiContext } from '../context.ts'
import { actorOf } from '../hooks/identity.ts'
import { renderApp } from '#lib/platform-api/app.ts'
import { region, stack } from '#lib/platform-api/platform.ts'
import { CreateApp, UpdateApp, UserParams } from '../schemas/apps.ts'
import { AppParams, identityText } from '../schemas/fields.ts'
import { partnerApp, partnerApps, requireSelf, targetApp } from '../targets.ts'

const listed = { ranges: ['id', 'name'] } as const

export function appRoutes(api: Api, context: ApiContext): void {
  const { apps, publicUrl } = context
  const one = { schema: { params: AppParams } }

  api.get('/apps', { config: { ...listed, partners: true } }, async (request) => {
    const { partner } = request
    if (partner)
      return (await partnerApps(context, partner)).map((app) => renderApp(app, publicUrl))
    const list = await apps.listApps({ actor: actorOf(request), ownedOnly: false })
    return list.apps.map((app) => renderApp(app, publicUrl))
  })

  // Heroku leaves a team's apps out of this one; there are no teams here.
  api.get(
    '/users/:user/apps',
    { config: listed, schema: { params: UserParams } },
    async (request) => {
      requireSelf(request)
      const list = await apps.listApps({ actor: actorOf(request), ownedOnly: false })
      return list.apps.map((app) => renderApp(app, publicUrl))
    },
  )

  api.post('/apps', { schema: { body: CreateApp } }, async (request, reply) => {
    const wanted = request.body ?? {}
    requireKnown('region', identityText(wanted.region), region)
    requireKnown('stack', identityText(wanted.stack), stack)
    const group = wanted.team ?? wanted.organization ?? wanted.space ?? ''
    if (identityText(group) !== '')
      throw notSupported('There are no teams and no spaces here. Leave team and space out.')
    const app = await apps.createApp({ actor: actorOf(request), name: wanted.name ?? '' })
    reply.code(201)
    return renderApp(app, publicUrl)
  })

  api.get('/apps/:app', { ...one, config: { partners: true } }, async (request) => {
    const { partner, params } = request
    const app = partner
      ? (await partnerApp(context, { partner, ...params })).app
      : await targetApp(context, request)
    return renderApp(app, publicUrl)
  })

  api.patch('/apps/:app', { schema: { params: AppParams, body: UpdateApp } }, async (request) => {
    const { name, maintenance, build_stack: buildStack } = request.body
    requireKnown('stack', identityText(buildStack), stack)
    const { id } = await targetApp(context, request)
    const app = await apps.updateApp({
      actor: actorOf(request),
      app: id,
      ...(name !== undefined && { name }),
      ...(maintenance !== undefined && { maintenance }),
    })
    return renderApp(app, publicUrl)
  })

  api.delete('/apps/:app', one, async (request) => {
    const { id } = await targetApp(context, request)
    return renderApp(await apps.destroyApp({ actor: actorOf(request), app: id }), publicUrl)
  })
}

/** Refuses any other region or stack than the one there is; none named is fine. */
function requireKnown(kind: string, wanted: string, only: { id: string; name: string }): void {
  if (wanted === '' || wanted === only.name || wanted === only.id) return
  throw invalidParams(`There is no ${kind} ${wanted} here, only ${only.name}. Leave it out.`)
}
