import { isPlexusError } from '#lib/errors.ts'
import { isStorable } from '#lib/storable.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { ApiRefusal } from '../api-refusal.ts'
import type { Api, ApiContext } from '../context.ts'
import { bucketsMax, wrongTokensPerPeerMax, wrongTokensPerPeerPerMinute } from '../limits.ts'
import { createTokenBuckets } from '../token-buckets.ts'

/**
 * Where add-on providers trade the grant of a provision request for an access token, and a refresh
 * token for the next one. They send what they send in the query, as a form or as JSON, with any
 * content type or none (Heroku's own reference provider uses the query).
 */
export function oauthTokenRoutes(api: Api, { broker }: ApiContext): void {
  const wrong = createTokenBuckets({
    capacity: wrongTokensPerPeerMax,
    perMinute: wrongTokensPerPeerPerMinute,
    keysMax: bucketsMax,
  })
  api.removeAllContentTypeParsers()
  api.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))

  api.post('/oauth/token', async (request, reply) => {
    if (wrong.remaining(request.ip) < 1)
      throw new ApiRefusal(
        'rate_limit',
        'Too many requests with a wrong client_secret or grant came from your address. Wait a' +
          ' minute and try again.',
      )
    const params = readParams(request.query, request.body)
    try {
      const tokens = await broker.tradeGrant({
        grantType: params['grant_type'] ?? '',
        code: params['code'] ?? '',
        refreshToken: params['refresh_token'] ?? '',
        clientSecret: params['client_secret'] ?? '',
      })
      reply.header('Cache-Control', 'no-store')
      return {
        access_token: tokens.accessToken,
        refresh_token: tokens.refreshToken,
        expires_in: tokens.expiresIn,
        token_type: 'Bearer',
        user_id: tokens.userId,
        session_nonce: null,
      }
    } catch (error) {
      const isWrong =
        isPlexusError(error, ErrorCode.UNAUTHORIZED) || isPlexusError(error, ErrorCode.BAD_REQUEST)
      if (isWrong) wrong.take(request.ip)
      throw error
    }
  })
}

/** Texts of the query and, before it, of the body. */
function readParams(query: unknown, body: unknown): Record<string, string | undefined> {
  const text = typeof body === 'string' ? body.trim() : ''
  const given: unknown = text.startsWith('{')
    ? readJson(text)
    : Object.fromEntries(new URLSearchParams(text))
  const all = { ...Object(query), ...Object(given) } as Record<string, unknown>
  const texts = Object.entries(all).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string' && isStorable(entry[1]),
  )
  return Object.fromEntries(texts)
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ApiRefusal('bad_request', `The body is not JSON: ${(error as Error).message}.`)
  }
}
