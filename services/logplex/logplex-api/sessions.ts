import { derivedId, type AccountId, type AppId } from '#lib/ids.ts'
import type { ControlContext } from '../control/context.ts'
import { createSession } from '../control/sessions.ts'
import { ApiAnswer, jsonError, type ApiRequest, type ApiRoute } from './api-scope.ts'
import { channelOf } from './channel-of.ts'

const linesFallback = 100

/** Sessions in v1 and v2; a canary is one that never follows. */
export function sessionRoutes(context: ControlContext): ApiRoute[] {
  const missing = new ApiAnswer(400, "'channel_id' missing")
  const session = async (request: ApiRequest, tail?: false): Promise<string> => {
    const { channel_id: channel } = request.body
    const name = typeof channel === 'number' ? String(channel) : channel
    if (typeof name !== 'string') throw missing
    const { appId } = await channelOf(context, name, missing)
    return newSession(context, appId, request, tail)
  }
  return [
    {
      method: 'POST',
      url: '/sessions',
      answer: async (request) =>
        new ApiAnswer(201, `${context.logsUrl}/sessions/${await session(request)}`),
    },
    {
      method: 'POST',
      url: '/v2/sessions',
      answer: async (request) =>
        new ApiAnswer(201, { url: `${context.logsUrl}/sessions/${await session(request)}` }),
    },
    {
      method: 'POST',
      url: '/v2/canary-sessions',
      answer: async (request) =>
        new ApiAnswer(201, { url: `/v2/canary-fetch/${await session(request, false)}` }),
    },
  ]
}

export function sessionRoutesV3(context: ControlContext): ApiRoute[] {
  return [
    {
      method: 'POST',
      url: '/v3/sessions',
      answer: async (request, reply) => {
        if (context.switches.isOff('tails')) throw new ApiAnswer(503, '')
        const { channel_id: name } = request.body
        if (typeof name !== 'string') throw jsonError(400, 'invalid payload')
        const { appId } = await channelOf(context, name, jsonError(422, 'channel not found'))
        const url = `${context.logsUrl}/sessions/${await newSession(context, appId, request)}`
        reply.header('location', url)
        return new ApiAnswer(201, { url })
      },
    },
  ]
}

async function newSession(
  { redis }: ControlContext,
  appId: AppId,
  { body, credentialId }: ApiRequest,
  tail = 'tail' in body,
): Promise<string> {
  const { num, source, ps } = body
  const lines = /^\d+$/.test(String(num)) ? Number(num) : linesFallback
  const { id } = await createSession(redis, {
    appId,
    // No person's: nobody's leaving the app ends it.
    accountId: derivedId<AccountId>(`credential ${credentialId}`),
    lines,
    // Whatever its value is.
    tail,
    source: typeof source === 'string' ? source : '',
    dyno: typeof ps === 'string' ? ps : '',
    ...{ match: '', pattern: '', since: '', until: '' },
  })
  return id
}
