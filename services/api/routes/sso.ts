import { Type } from '@fastify/type-provider-typebox'
import type { Sso } from '#proto/broker/v1/broker_pb.ts'
import { ApiRefusal } from '../api-refusal.ts'
import type { Api, ApiContext } from '../context.ts'
import { actorOf } from '../hooks/identity.ts'
import { renderDashboardPage } from '../render/dashboard-page.ts'
import { AddonParams, AppAddonParams } from '../schemas/addons.ts'
import { targetApp } from '../targets.ts'

/** Single sign-on for who has a token: what a client has to send to the provider. */
export function ssoRoutes(api: Api, context: ApiContext): void {
  const { broker } = context
  const shown = ({ action, method, params }: Sso) => ({ action, method, params })

  api.get('/addons/:addon/sso', { schema: { params: AddonParams } }, async (request) => {
    const { addon } = request.params
    return shown(await broker.getSso({ actor: actorOf(request), addon }))
  })

  api.get(
    '/apps/:app/addons/:addon/sso',
    { schema: { params: AppAddonParams } },
    async (request) => {
      const { id: app } = await targetApp(context, request)
      const { addon } = request.params
      return shown(await broker.getSso({ actor: actorOf(request), app, addon }))
    },
  )
}

const DashboardQuery = Type.Object({ ticket: Type.Optional(Type.String()) })

/**
 * The page to which `heroku addons:open` sends a browser: it goes on to the provider by itself, with
 * tokens that are made at this moment. Who asks is known by the ticket in the address.
 */
export function dashboardRoutes(api: Api, { broker }: ApiContext): void {
  api.get(
    '/addons/:addon/dashboard',
    { schema: { params: AddonParams, querystring: DashboardQuery } },
    async (request, reply) => {
      const { ticket } = request.query
      if (ticket === undefined)
        throw new ApiRefusal(
          'not_found',
          'Open the dashboard of an add-on with "heroku addons:open NAME -a APP": its address is ' +
            "made for you at that moment. Plexus's own Postgres and Redis have none.",
        )
      const { addon } = request.params
      const { html, policy } = renderDashboardPage(await broker.openDashboard({ addon, ticket }))
      reply.header('Content-Security-Policy', policy)
      reply.header('Cache-Control', 'no-store').header('Referrer-Policy', 'no-referrer')
      return reply.type('text/html; charset=utf-8').send(html)
    },
  )
}
