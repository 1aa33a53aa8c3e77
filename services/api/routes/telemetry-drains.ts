import type { FastifyRequest } from 'fastify'
import { isPlexusError, notFound } from '#lib/errors.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import type { TelemetryDrain } from '#proto/logplex/v1/logplex_pb.ts'
import { notSupported } from '../api-refusal.ts'
import type { Api, ApiContext } from '../context.ts'
import { listHeader } from '../hooks/accept.ts'
import { actorOf, identityOf, type Identified } from '../hooks/identity.ts'
import { renderDrainState } from '../render/log-drain.ts'
import { renderTelemetryDrain } from '../render/telemetry-drain.ts'
import { AppParams } from '../schemas/fields.ts'
import {
  CreateTelemetryDrain,
  SetTelemetryDrainQuery,
  SpaceParams,
  TelemetryDrainParams,
  UpdateTelemetryDrain,
} from '../schemas/telemetry-drains.ts'
import { targetApp } from '../targets.ts'

/**
 * OTLP drains, as Heroku's newer generation of apps has them: of the signals Plexus has the logs.
 */
export function telemetryDrainRoutes(api: Api, context: ApiContext): void {
  const one = { schema: { params: TelemetryDrainParams } }
  changingRoutes(api, context)

  api.get('/apps/:app/telemetry-drains', { schema: { params: AppParams } }, async (request) => {
    const { id: appId } = await targetApp(context, request)
    const { drains } = await context.logplex.listTelemetryDrains({ appId })
    return drains.map((drain) => shown(request, drain))
  })

  api.get('/spaces/:space/telemetry-drains', { schema: { params: SpaceParams } }, async () => {
    throw notFound(
      'space',
      "Couldn't find that space: Plexus has none. Telemetry drains are of apps: name one with --app.",
    )
  })

  api.get('/telemetry-drains/:drain', one, async (request) =>
    shown(request, await targetDrain(context, request)),
  )

  api.delete('/telemetry-drains/:drain', one, async (request) => {
    const { appId, id } = await targetDrain(context, request)
    return renderTelemetryDrain(await context.logplex.deleteTelemetryDrain({ appId, id }))
  })
}

function changingRoutes(api: Api, context: ApiContext): void {
  const { apps, logplex } = context

  api.post(
    '/telemetry-drains',
    { schema: { body: CreateTelemetryDrain, querystring: SetTelemetryDrainQuery } },
    async (request, reply) => {
      const { owner, signals, exporter } = request.body
      if (owner.type !== 'app')
        throw notSupported('Plexus has no spaces: let an app own the telemetry drain (--app APP).')
      const { id: appId } = await apps.getApp({ actor: actorOf(request), app: owner.id })
      requireLogs(signals)
      requireHttp(exporter.type)
      const { endpoint, headers = {} } = exporter
      const wanted = { appId, exporter: { endpoint, headers }, ...howToTest(request) }
      const drain = await logplex.createTelemetryDrain(wanted)
      reply.code(201)
      return renderTelemetryDrain(drain)
    },
  )

  api.patch(
    '/telemetry-drains/:drain',
    {
      schema: {
        ...{ params: TelemetryDrainParams, body: UpdateTelemetryDrain },
        querystring: SetTelemetryDrainQuery,
      },
    },
    async (request) => {
      const { appId, id } = await targetDrain(context, request)
      const { signals, exporter: { type, endpoint, headers } = {} } = request.body
      if (signals) requireLogs(signals)
      if (type !== undefined) requireHttp(type)
      const drain = await logplex.updateTelemetryDrain({
        ...{ appId, id, ...howToTest(request) },
        ...(endpoint !== undefined && { endpoint }),
        ...(headers && { headers: { headers } }),
      })
      return renderTelemetryDrain(drain)
    },
  )
}

/**
 * The drain that the path names. Nothing is said of it, not even that it exists, to who may not
 * touch its app.
 */
async function targetDrain(
  { apps, logplex }: ApiContext,
  request: Identified & { params: { drain: string } },
): Promise<TelemetryDrain> {
  const drain = await logplex.getTelemetryDrain({ id: request.params.drain })
  try {
    await apps.getApp({ actor: actorOf(request), app: drain.appId })
  } catch (error) {
    if (isPlexusError(error, ErrorCode.NOT_FOUND)) throw notFound('telemetry drain')
    throw error
  }
  return drain
}

/** What there is of the signals is sent, and the answer says what that is. */
function requireLogs(signals: readonly string[]): void {
  if (!signals.includes('logs'))
    throw notSupported(
      'Plexus has the logs of an app, but neither traces nor metrics, which its processes send' +
        ' themselves. Let logs be among the signals (--signals logs).',
    )
}

function requireHttp(type: string): void {
  if (type !== 'otlphttp')
    throw notSupported(
      'Plexus exports over HTTP only: use "otlphttp" (--transport http), with the endpoint at which' +
        " the receiver takes OTLP over HTTP. A collector's port for it is 4318, not 4317.",
    )
}

type Changing = Identified & { body: { force?: boolean }; query: { force?: string } }

const howToTest = (request: Changing): { force: boolean; by: string } => ({
  force: request.body.force ?? request.query.force === 'true',
  by: identityOf(request).email,
})

/** More than the schema's fields only for who asks for it: how the drain is doing. */
function shown({ headers }: Pick<FastifyRequest, 'headers'>, drain: TelemetryDrain) {
  const withState = listHeader(headers['accept-inclusion']).has('state')
  return {
    ...renderTelemetryDrain(drain),
    ...(withState && { state: renderDrainState(drain.state) }),
  }
}
