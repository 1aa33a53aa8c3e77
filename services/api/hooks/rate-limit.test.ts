import { fastify } from 'fastify'
import { expect, test } from 'vitest'
import { renderError } from '../render-error.ts'
import { createTokenBuckets } from '../token-buckets.ts'
import { rateLimit } from './rate-limit.ts'

const nobody = { email: '', authorizationId: '', token: '' }

test('an account beyond its allowance is told to wait; another and what is free are answered', async () => {
  const api = fastify()
  const allowances = createTokenBuckets({ capacity: 2, perMinute: 0, keysMax: 10 })
  api.decorateRequest('identity', null)
  api.setErrorHandler((error, _request, reply) => reply.code(renderError(error).status).send())
  api.decorateRequest('provider', null)
  api.addHook('onRequest', async (request) => {
    const { 'x-account': account, 'x-provider': provider } = request.headers
    if (provider !== undefined) request.provider = { addonService: String(provider) }
    else request.identity = { ...nobody, accountId: String(account) }
  })
  api.addHook('onRequest', rateLimit(allowances))
  api.get('/costs', async () => 'ok')
  api.get('/free', { config: { rateLimit: 'free' } }, async () => 'ok')
  const ask = async (url: string, name: string, header = 'x-account'): Promise<unknown[]> => {
    const { statusCode, headers } = await api.inject({ url, headers: { [header]: name } })
    return [statusCode, headers['ratelimit-remaining']]
  }

  expect(await ask('/costs', 'ada')).toEqual([200, '1'])
  expect(await ask('/costs', 'ada')).toEqual([200, '0'])
  expect(await ask('/costs', 'ada')).toEqual([429, '0'])
  expect(await ask('/free', 'ada')).toEqual([200, '0'])
  expect(await ask('/costs', 'bob')).toEqual([200, '1'])
  // A provider may choose a slug that is some account's id.
  expect(await ask('/costs', 'ada', 'x-provider')).toEqual([200, '1'])
})
