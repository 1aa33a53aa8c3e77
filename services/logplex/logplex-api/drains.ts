import { isPlexusError } from '#lib/errors.ts'
import type { AppId } from '#lib/ids.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import type { ControlContext } from '../control/context.ts'
import { createDrain, tooManyDrains, urlTaken } from '../control/drains.ts'
import {
  numberedDrains,
  removeNumberedDrain,
  reserveDrain,
  setNumberedDrainUrl,
  type NumberedDrain,
} from '../control/reserved-drains.ts'
import { ApiAnswer, jsonError, type ApiRequest, type ApiRoute } from './api-scope.ts'
import { channelOf } from './channel-of.ts'

/** Drains in v1 and v2: numbers. */
export function drainRoutes(context: ControlContext): ApiRoute[] {
  const noChannel = new ApiAnswer(404, 'No such channel')
  const channel = async (request: ApiRequest) =>
    (await channelOf(context, request.params['channel'] ?? '', noChannel)).appId
  const gone = new ApiAnswer(501, 'V1 Drain API Deprecated.')
  const deprecated = (method: ApiRoute['method'], url: string): ApiRoute => ({
    method,
    url,
    answer: () => Promise.resolve(gone),
  })
  return [
    {
      method: 'POST',
      url: '/channels/:channel/drains/tokens',
      answer: async (request) => {
        const { number: id, token } = await reserved(context, await channel(request), refusalV2)
        return new ApiAnswer(201, { id, token, msg: 'Successfully reserved drain token' })
      },
    },
    {
      method: 'POST',
      url: '/v2/channels/:channel/drains',
      answer: async (request) => {
        const appId = await channel(request)
        const { number: id, token, url } = await added(context, appId, urlOf(request), refusalV2)
        return new ApiAnswer(201, { id, token, url })
      },
    },
    {
      method: 'POST',
      url: '/v2/channels/:channel/drains/:drain',
      answer: async (request) => {
        const appId = await channel(request)
        const unknown = new ApiAnswer(404, 'Unknown drain.')
        const drain = await drainOf(context, appId, request, unknown)
        try {
          const url = urlOf(request)
          const pointed = await setNumberedDrainUrl(context, appId, drain, url).catch(refusalV2)
          return new ApiAnswer(201, { id: drain.number, token: drain.token, url: pointed.url })
        } catch (error) {
          // As Logplex does it: a reserved drain does not outlive a url that cannot be one.
          const invalid = error instanceof ApiAnswer && error.status === 422
          if (invalid && drain.url === undefined) await removeNumberedDrain(context, appId, drain)
          throw error
        }
      },
    },
    {
      method: 'DELETE',
      url: '/v2/channels/:channel/drains/:drain',
      answer: async (request) => {
        const appId = await channel(request)
        const drain = await drainOf(context, appId, request, jsonError(404, 'Not found'))
        await removeNumberedDrain(context, appId, drain)
        return new ApiAnswer(200, '')
      },
    },
    deprecated('GET', '/channels/:channel/drains'),
    deprecated('POST', '/channels/:channel/drains'),
    deprecated('DELETE', '/channels/:channel/drains'),
  ]
}

/** Drains in v3: uuids. */
export function drainRoutesV3(context: ControlContext): ApiRoute[] {
  const missing = jsonError(404, 'Not Found')
  const channel = async (request: ApiRequest) =>
    (await channelOf(context, request.params['channel'] ?? '', missing)).appId
  const readUrl = ({ body: { url } }: ApiRequest): string => {
    if (typeof url !== 'string') throw jsonError(400, 'invalid payload')
    return url
  }
  const url = '/v3/channels/:channel/drains'
  return [
    {
      method: 'POST',
      url,
      answer: async (request, reply) => {
        const appId = await channel(request)
        const drain =
          request.body['url'] === undefined
            ? await reserved(context, appId, refusalV3)
            : await added(context, appId, readUrl(request), refusalV3)
        const path = `/v3/channels/${request.params['channel']}/drains/${drain.id}`
        reply.header('location', new URL(path, context.logsUrl).href)
        return new ApiAnswer(201, { id: drain.id, token: drain.token, url: drain.url })
      },
    },
    {
      method: 'PUT',
      url: `${url}/:drain`,
      answer: async (request) => {
        const appId = await channel(request)
        const drain = await drainOf(context, appId, request, missing)
        const wish = readUrl(request)
        const pointed = await setNumberedDrainUrl(context, appId, drain, wish).catch(refusalV3)
        return new ApiAnswer(200, { id: pointed.id, token: pointed.token, url: pointed.url })
      },
    },
    {
      method: 'DELETE',
      url: `${url}/:drain`,
      answer: async (request) => {
        const appId = await channel(request)
        await removeNumberedDrain(context, appId, await drainOf(context, appId, request, missing))
        return new ApiAnswer(204, '')
      },
    },
  ]
}

async function reserved(
  context: ControlContext,
  appId: AppId,
  refusal: (error: unknown) => never,
): Promise<NumberedDrain> {
  return reserveDrain(context, appId).catch(refusal)
}

async function added(
  context: ControlContext,
  appId: AppId,
  url: string,
  refusal: (error: unknown) => never,
): Promise<NumberedDrain> {
  const { row } = await createDrain(context, { appId, url, force: true, by: '' }).catch(refusal)
  const drain = (await numberedDrains(context, appId)).find(({ id }) => id === row.id)
  if (!drain) throw jsonError(404, 'Not Found')
  return drain
}

/** By number or uuid. */
async function drainOf(
  context: ControlContext,
  appId: AppId,
  { params: { drain: name = '' } }: ApiRequest,
  missing: ApiAnswer,
): Promise<NumberedDrain> {
  const drains = await numberedDrains(context, appId)
  const found = drains.find(
    ({ id, number }) => id === name.toLowerCase() || String(number) === name,
  )
  if (!found) throw missing
  return found
}

function urlOf({ body: { url, host, port } }: ApiRequest): string {
  if (typeof url === 'string') return url
  if (typeof host === 'string') return `syslog://${host}:${Number(port ?? 514)}`
  return ''
}

function refusalV2(error: unknown): never {
  if (!isPlexusError(error, ErrorCode.INVALID_PARAMS)) throw error
  if (error.message === urlTaken) throw jsonError(409, 'Already exists')
  if (error.message === tooManyDrains) throw jsonError(422, tooManyDrains.replace(/\.$/, ''))
  throw jsonError(422, error.message)
}

function refusalV3(error: unknown): never {
  if (!isPlexusError(error, ErrorCode.INVALID_PARAMS)) throw error
  if (error.message === urlTaken) throw jsonError(409, 'already exists')
  if (error.message === tooManyDrains) throw jsonError(422, 'maximum number of drains reached')
  throw jsonError(400, error.message)
}
