import { isPlexusError } from '#lib/errors.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { ensureToken, type ChannelToken } from '../control/channels.ts'
import type { ControlContext } from '../control/context.ts'
import { ApiAnswer, jsonError, type ApiRoute } from './api-scope.ts'
import { channelOf } from './channel-of.ts'

/** A channel has one token of a name: asked for again, it is the same. */
export function tokenRoutes(context: ControlContext): ApiRoute[] {
  const noName = new ApiAnswer(400, "'name' post param missing")
  const required = jsonError(422, 'NAME is a required field')
  return [
    tokenRoute(
      context,
      '/channels/:channel/token',
      noName,
      ({ token }) => new ApiAnswer(201, token),
    ),
    tokenRoute(
      context,
      '/v2/channels/:channel/tokens',
      required,
      ({ name, token }) => new ApiAnswer(201, { name, token }),
    ),
  ]
}

export function tokenRoutesV3(context: ControlContext): ApiRoute[] {
  const invalid = jsonError(400, 'invalid payload')
  return [
    tokenRoute(
      context,
      '/v3/channels/:channel/tokens',
      invalid,
      ({ name, token }) => new ApiAnswer(200, { name, token }),
    ),
  ]
}

function tokenRoute(
  context: ControlContext,
  url: string,
  wrongName: ApiAnswer,
  answerWith: (token: ChannelToken) => ApiAnswer,
): ApiRoute {
  return {
    method: 'POST',
    url,
    answer: async ({ params, body: { name } }) => {
      if (typeof name !== 'string') throw wrongName
      const { appId } = await channelOf(
        context,
        params['channel'] ?? '',
        jsonError(404, 'Not Found'),
      )
      try {
        return answerWith(await ensureToken(context, appId, name))
      } catch (error) {
        if (isPlexusError(error, ErrorCode.INVALID_PARAMS)) throw wrongName
        throw error
      }
    },
  }
}
