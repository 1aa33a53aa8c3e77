import type { FastifyRequest } from 'fastify'
import type { App } from '#proto/apps/v1/apps_pb.ts'
import type { Drain } from '#proto/logplex/v1/logplex_pb.ts'
import type { Api, ApiContext } from '../context.ts'
import { listHeader } from '../hooks/accept.ts'
import { actorOf, identityOf, type Identified } from '../hooks/identity.ts'
import { readDrainOptions } from '../drain-options.ts'
import {
  renderDrain,
  renderDrainOptions,
  renderDrainState,
  renderDrainTest,
} from '../render/log-drain.ts'
import { AppParams } from '../schemas/fields.ts'
import {
  CreateLogDrain,
  CreateLogDrainQuery,
  DrainParams,
  ReplayLogDrain,
  ShowLogDrainQuery,
  TestLogDrain,
} from '../schemas/logs.ts'
import { targetApp } from '../targets.ts'

type Showing = Identified & Pick<FastifyRequest, 'headers'> & { query: { extended?: string } }

/** Asks the broker only when an add-on has one of the drains. */
async function renderDrains(
  { broker }: ApiContext,
  request: Showing,
  app: App,
  drains: Drain[],
): Promise<ReturnType<typeof renderDrain>[]> {
  const { addons } = drains.some(({ addonId }) => addonId !== '')
    ? await broker.listAddons({ actor: actorOf(request), app: app.id })
    : { addons: [] }
  const names = new Map(addons.map(({ id, name }) => [id, name]))
  const extended = request.query.extended === 'true'
  const withState = extended || listHeader(request.headers['accept-inclusion']).has('state')
  return drains.map((drain) => ({
    ...renderDrain(drain, app, names),
    ...(extended && { extended: { drain_id: drain.id } }),
    ...(withState && {
      state: renderDrainState(drain.state),
      options: renderDrainOptions(drain.options),
    }),
  }))
}

export function logDrainRoutes(api: Api, context: ApiContext): void {
  const { logplex } = context
  const shown = { params: AppParams, querystring: ShowLogDrainQuery }

  api.get('/apps/:app/log-drains', { schema: shown }, async (request) => {
    const app = await targetApp(context, request)
    const { drains } = await logplex.listDrains({ appId: app.id })
    return renderDrains(context, request, app, drains)
  })

  api.post(
    '/apps/:app/log-drains',
    { schema: { params: AppParams, body: CreateLogDrain, querystring: CreateLogDrainQuery } },
    async (request, reply) => {
      const app = await targetApp(context, request)
      const { url, options } = request.body
      const force = request.body.force ?? request.query.force === 'true'
      const { email: by } = identityOf(request)
      const wanted = { appId: app.id, url, force, by, ...readDrainOptions(options) }
      const drain = await logplex.createDrain(wanted)
      reply.code(201)
      return renderDrain(drain, app, new Map())
    },
  )

  // Tests the way to a receiver, whether it is one of the app's drains or may become one.
  api.post(
    '/apps/:app/log-drains/actions/test',
    { schema: { params: AppParams, body: TestLogDrain } },
    async (request) => {
      const app = await targetApp(context, request)
      const { email: by } = identityOf(request)
      const { drain } = request.body
      return renderDrainTest(await logplex.testDrain({ appId: app.id, drain, by }))
    },
  )

  api.post(
    '/apps/:app/log-drains/:drain/actions/replay',
    { schema: { params: DrainParams, body: ReplayLogDrain } },
    async (request) => {
      const app = await targetApp(context, request)
      const { from_line: fromLine = 0, since = '' } = request.body
      const wanted = {
        appId: app.id,
        drain: request.params.drain,
        fromLine: BigInt(fromLine),
        since,
      }
      const replay = await logplex.replayDrain(wanted)
      return { from_line: Number(replay.fromLine), lines: Number(replay.lines) }
    },
  )

  // A drain is named by its id, its token or its URL, whose slashes the client has encoded.
  api.get(
    '/apps/:app/log-drains/:drain',
    { schema: { ...shown, params: DrainParams } },
    async (request) => {
      const app = await targetApp(context, request)
      const drain = await logplex.getDrain({ appId: app.id, drain: request.params.drain })
      return (await renderDrains(context, request, app, [drain]))[0]
    },
  )

  api.delete(
    '/apps/:app/log-drains/:drain',
    { schema: { params: DrainParams } },
    async (request) => {
      const app = await targetApp(context, request)
      const drain = await logplex.deleteDrain({ appId: app.id, drain: request.params.drain })
      return renderDrain(drain, app, new Map())
    },
  )
}
