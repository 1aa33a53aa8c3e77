import { isPlexusError } from '#lib/errors.ts'
import { newId, type AppId } from '#lib/ids.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { channelTokens, forgetApp, putChannel } from '../control/channels.ts'
import { findChannel } from '../control/channels-db.ts'
import type { ControlContext } from '../control/context.ts'
import { numberedDrains } from '../control/reserved-drains.ts'
import { ApiAnswer, jsonError, type ApiRoute } from './api-scope.ts'
import { channelOf, findAppId } from './channel-of.ts'

const noChannel = jsonError(404, 'Not Found')

/** Channels in v1 and v2: numbers. */
export function channelRoutes(context: ControlContext): ApiRoute[] {
  return [
    {
      method: 'POST',
      url: '/channels',
      answer: async ({ body: { name, tokens } }) => {
        if (name !== undefined && typeof name !== 'string')
          throw new ApiAnswer(400, 'Channel name must be a string.')
        const names = readNames(tokens)
        if (!names) throw new ApiAnswer(400, 'Bad request')
        // A channel without an app gets an id of its own.
        const appId = (await findAppId(context, name ?? '')) ?? newId<AppId>()
        await putChannel(context, appId, names)
        const channel = await findChannel(context.pool, { appId })
        return new ApiAnswer(201, {
          channel_id: channel?.number,
          tokens: tokenObject(await channelTokens(context, appId)),
        })
      },
    },
    {
      method: 'GET',
      url: '/v2/channels/:channel',
      answer: async ({ params }) => {
        const { appId, number } = await channelOf(context, params['channel'] ?? '', noChannel)
        const drains = await numberedDrains(context, appId)
        return new ApiAnswer(200, {
          channel_id: number,
          tokens: await channelTokens(context, appId),
          drains: drains
            .filter(({ url }) => url !== undefined)
            .map((drain) => ({ id: drain.number, token: drain.token, url: drain.url })),
        })
      },
    },
    {
      method: 'GET',
      url: '/channels/:channel/info',
      answer: async ({ params }) => {
        const { appId, number } = await channelOf(context, params['channel'] ?? '', noChannel)
        const drains = await numberedDrains(context, appId)
        return new ApiAnswer(200, {
          channel_id: number,
          tokens: tokenObject(await channelTokens(context, appId)),
          drains: drains.flatMap(({ url }) => url ?? []),
        })
      },
    },
    deleteRoute(context, '/channels/:channel', new ApiAnswer(200, 'OK'), notFoundText),
    deleteRoute(context, '/v2/channels/:channel', new ApiAnswer(200, ''), noChannel),
  ]
}

const notFoundText = new ApiAnswer(404, 'Not found')

/** Channels in v3: their apps' uuids. */
export function channelRoutesV3(context: ControlContext): ApiRoute[] {
  const url = '/v3/channels/:channel'
  return [
    {
      method: 'PUT',
      url,
      answer: async ({ params: { channel: name = '' }, body: { tokens } }) => {
        const names = tokens === undefined ? undefined : readNames(tokens)
        if (tokens !== undefined && !names) throw jsonError(400, 'invalid payload')
        const appId = await findAppId(context, name)
        // What is no app's has no log here.
        if (!appId) throw noChannel
        const created = await putChannel(context, appId, names).catch((error: unknown) => {
          if (isPlexusError(error, ErrorCode.INVALID_PARAMS))
            throw jsonError(400, 'invalid payload')
          throw error
        })
        return new ApiAnswer(created ? 201 : 200, await channelObject(context, appId, name))
      },
    },
    {
      method: 'GET',
      url,
      answer: async ({ params: { channel: name = '' } }) => {
        const { appId } = await channelOf(context, name, noChannel)
        return new ApiAnswer(200, await channelObject(context, appId, name))
      },
    },
    deleteRoute(context, url, new ApiAnswer(204, ''), noChannel),
  ]
}

function deleteRoute(
  context: ControlContext,
  url: string,
  done: ApiAnswer,
  missing: ApiAnswer,
): ApiRoute {
  return {
    method: 'DELETE',
    url,
    answer: async ({ params }) => {
      const { appId } = await channelOf(context, params['channel'] ?? '', missing)
      await forgetApp(context, appId)
      return done
    },
  }
}

/** What is empty is left out. */
async function channelObject(context: ControlContext, appId: AppId, name: string): Promise<object> {
  const tokens = await channelTokens(context, appId)
  const drains = await numberedDrains(context, appId)
  return {
    channel: name,
    ...(tokens.length > 0 && { tokens: tokenObject(tokens) }),
    ...(drains.length > 0 && { drains: drains.map(({ id, token, url }) => ({ id, token, url })) }),
  }
}

function tokenObject(tokens: { name: string; token: string }[]): Record<string, string> {
  return Object.fromEntries(tokens.map(({ name, token }) => [name, token]))
}

/** Undefined when they are no list of names. */
function readNames(tokens: unknown): string[] | undefined {
  if (tokens === undefined) return []
  if (!Array.isArray(tokens)) return undefined
  const names = tokens.filter((name) => typeof name === 'string')
  return names.length === tokens.length ? names : undefined
}
