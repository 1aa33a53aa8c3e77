import type { Api, ApiContext } from '../context.ts'
import { renderDrain } from '../render/log-drain.ts'
import { AppParams } from '../schemas/fields.ts'
import { CreateLogDrain, DrainParams } from '../schemas/logs.ts'
import { targetApp } from '../targets.ts'

export function logDrainRoutes(api: Api, context: ApiContext): void {
  const { logplex } = context
  const one = { schema: { params: DrainParams } }

  api.get('/apps/:app/log-drains', { schema: { params: AppParams } }, async (request) => {
    const app = await targetApp(context, request)
    const { drains } = await logplex.listDrains({ appId: app.id })
    return drains.map((drain) => renderDrain(drain, app))
  })

  api.post(
    '/apps/:app/log-drains',
    { schema: { params: AppParams, body: CreateLogDrain } },
    async (request, reply) => {
      const app = await targetApp(context, request)
      const drain = await logplex.createDrain({ appId: app.id, url: request.body.url })
      reply.code(201)
      return renderDrain(drain, app)
    },
  )

  // A drain is named by its id, its token or its URL, whose slashes the client has encoded.
  api.get('/apps/:app/log-drains/:drain', one, async (request) => {
    const app = await targetApp(context, request)
    const drain = await logplex.getDrain({ appId: app.id, drain: request.params.drain })
    return renderDrain(drain, app)
  })

  api.delete('/apps/:app/log-drains/:drain', one, async (request) => {
    const app = await targetApp(context, request)
    const drain = await logplex.deleteDrain({ appId: app.id, drain: request.params.drain })
    return renderDrain(drain, app)
  })
}
