import { expect, test } from 'vitest'
import { callbackUrl, herokuIdOf, uuidsOf } from './app-info.ts'

const uuid = '01234567-89ab-4def-8123-456789abcdef'

test('a heroku_id leads back to the uuids that begin like its own', () => {
  expect(herokuIdOf(uuid)).toBe('app1250999896491@heroku.com')
  expect(uuidsOf(herokuIdOf(uuid))).toEqual([
    '01234567-89ab-0000-0000-000000000000',
    '01234567-89ab-ffff-ffff-ffffffffffff',
  ])
  for (const end of ['00000000-0000', 'ffffffff-ffff']) {
    const [lowest] = uuidsOf(herokuIdOf(`${end}-4def-8123-456789abcdef`)) ?? []
    expect(lowest).toBe(`${end}-0000-0000-000000000000`)
  }
})

test.each([
  uuid,
  '',
  'app@heroku.com',
  'app-1@heroku.com',
  'app1@heroku.com.example',
  ' app1@heroku.com',
  'app01@heroku.com',
  'app281474976710656@heroku.com',
  'app99999999999999999999@heroku.com',
])('%j is no heroku_id', (text) => {
  expect(uuidsOf(text)).toBeUndefined()
})

test('a resource of version 1 is called back at its app info', () => {
  const api = 'https://api.example'
  expect(callbackUrl('1', api, uuid)).toBe(`${api}/vendor/apps/app1250999896491%40heroku.com`)
  expect(callbackUrl('3', api, uuid)).toBe(`${api}/addons/${uuid}`)
})
