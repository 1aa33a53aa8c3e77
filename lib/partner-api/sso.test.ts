import { expect, test } from 'vitest'
import { ssoRequest, ssoToken } from './sso.ts'

test('tokens are those of the published examples', () => {
  expect(ssoToken('123', '2f97bfa52ca102f8874716e2eb1d3b4920ad0be4', '1267597772')).toBe(
    'bb466eb1d6bc345d11072c3cd25c311f21be130d',
  )
  expect(ssoToken('1', 'SSO_SALT', '1262304000')).toBe('b6010f6fbb850887a396c2bc0ab23974003008f6')
})

const visit = {
  uuid: '01234567-89ab-cdef-0123-456789abcdef',
  providerId: '7',
  user: { id: 'u-1', email: 'a@example.com' },
  app: 'shop',
  contextApp: 'shop-admin',
  timestamp: 1_262_304_000,
}
const urls = { baseUrl: 'https://x.example/heroku/resources', ssoSalt: 'SSO_SALT' } as const

test('a form is posted with both ids and both tokens', () => {
  const found = ssoRequest({ ...urls, ssoUrl: 'https://x.example/sso', apiVersion: '3' }, visit)
  expect(found).toEqual({
    action: 'https://x.example/sso',
    method: 'post',
    params: {
      resource_id: visit.uuid,
      resource_token: ssoToken(visit.uuid, 'SSO_SALT', '1262304000'),
      id: '7',
      token: ssoToken('7', 'SSO_SALT', '1262304000'),
      timestamp: '1262304000',
      'nav-data': expect.stringMatching(/^[\w-]+$/),
      email: 'a@example.com',
      user_id: 'u-1',
      app: 'shop',
      context_app: 'shop-admin',
    },
  })
})

test('version 1 without a url of its own is logged in by GET, version 3 not at all', () => {
  expect(ssoRequest({ ...urls, ssoUrl: '', apiVersion: '1' }, visit)).toMatchObject({
    action: 'https://x.example/heroku/resources/7',
    method: 'get',
  })
  expect(ssoRequest({ ...urls, ssoUrl: '', apiVersion: '3' }, visit)).toBeUndefined()
})
