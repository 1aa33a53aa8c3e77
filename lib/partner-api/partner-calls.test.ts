import { expect, test } from 'vitest'
import { changePlanCall, deprovisionCall, provisionCall } from './partner-calls.ts'

const partner = {
  slug: 'addon-slug',
  password: 'super-secret',
  baseUrl: 'https://x.example/heroku/resources',
  apiVersion: '3',
} as const

const body = {
  callback_url: 'https://api.example/addons/01234567-89ab-cdef-0123-456789abcdef',
  name: 'acme-inc-primary-database',
  oauth_grant: { code: 'c', expires_at: '2026-03-03T18:01:31Z', type: 'authorization_code' },
  options: { foo: 'bar' },
  plan: 'basic',
  region: 'amazon-web-services::us-east-1',
  uuid: '01234567-89ab-cdef-0123-456789abcdef',
} as const

test('a provision call has the headers of the version, byte by byte', () => {
  const call = provisionCall(partner, body)
  expect(call).toMatchObject({ method: 'POST', url: partner.baseUrl })
  expect(call.headers).toMatchObject({
    authorization: 'Basic YWRkb24tc2x1ZzpzdXBlci1zZWNyZXQ=',
    accept: 'application/vnd.heroku-addons+json; version=3',
    'content-type': 'application/json',
  })
  expect(provisionCall({ ...partner, apiVersion: '1' }, body).headers['accept']).toBe(
    'application/json',
  )
})

test('its body has what both versions ask for', () => {
  expect(JSON.parse(provisionCall(partner, body).body ?? '')).toEqual({
    ...body,
    heroku_id: 'app1250999896491@heroku.com',
    logplex_token: null,
  })
})

test("a resource is named by the provider's own id, whatever it is", () => {
  expect(deprovisionCall(partner, { id: 'a/b?c' }).url).toBe(`${partner.baseUrl}/a%2Fb%3Fc`)
  const change = changePlanCall(partner, { id: '7', uuid: body.uuid, plan: 'large' })
  expect(change).toMatchObject({ method: 'PUT', url: `${partner.baseUrl}/7` })
  expect(JSON.parse(change.body ?? '')).toMatchObject({ plan: 'large', uuid: body.uuid })
})
