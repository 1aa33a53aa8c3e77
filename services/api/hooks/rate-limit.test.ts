import { fastify } from 'fastify'
import { expect, test } from 'vitest'
import { renderError } from '../render-error.ts'
import { createTokenBuckets } from '../token-buckets.ts'
import { rateLimit } from './rate-limit.ts'

test('an account beyond its allowance is told to wait; another and what is free are answered', async () => {
  const api = fastify()
  const allowances = createTokenBuckets({ capacity: 2, perMinute: 0, keysMax: 10 })
  api.decorateRequest('identity', null)
  api.setErrorHandler((error, _request, reply) => reply.code(renderError(error).status).send())
  api.addHook('onRequest', async (request) => {
    const accountId = String(request.headers['x-account'])
    request.identity = { accountId, email: '', authorizationId: '', token: '' }
  })
  api.addHook('onRequest', rateLimit(allowances))
  api.get('/costs', async () => 'ok')
  api.get('/free', { config: { rateLimit: 'free' } }, async () => 'ok')
  const ask = async (url: string, account: string): Promise<unknown[]> => {
    const { statusCode, headers } = await api.inject({ url, headers: { 'x-account': account } })
    return [statusCode, headers['ratelimit-remaining']]
  }

  expect(await ask('/costs', 'ada')).toEqual([200, '1'])
  expect(await ask('/costs', 'ada')).toEqual([200, '0'])
  expect(await ask('/costs', 'ada')).toEqual([429, '0'])
  expect(await ask('/free', 'ada')).toEqual([200, '0'])
  expect(await ask('/costs', 'bob')).toEqual([200, '1'])
})
