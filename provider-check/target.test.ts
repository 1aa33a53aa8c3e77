import { expect, test } from 'vitest'
import { readTarget } from './target.ts'

const manifest = {
  id: 'acme-db',
  name: 'Acme DB',
  api: {
    version: '3',
    config_vars: ['ACME_DB_URL'],
    password: 'secret',
    sso_salt: 'salt',
    regions: ['us'],
    production: {
      base_url: 'https://acme.example/addons',
      sso_url: 'https://acme.example/sso?a=1',
    },
    test: { base_url: 'http://devbox:5000/addons', sso_url: 'http://devbox:5000/sso' },
  },
}

const urlsOf = (value: unknown, test: boolean, url?: string) => {
  const { manifest, problem, isProduction } = readTarget('acme.json', value, { test, url })
  return { urls: manifest && [manifest.baseUrl, manifest.ssoUrl], problem, isProduction }
}

test('the urls are those of production, or of test when asked', () => {
  expect(urlsOf(manifest, false)).toEqual({
    urls: ['https://acme.example/addons', 'https://acme.example/sso?a=1'],
    problem: '',
    isProduction: true,
  })
  expect(urlsOf(manifest, true)).toMatchObject({
    urls: ['http://devbox:5000/addons', 'http://devbox:5000/sso'],
    isProduction: false,
  })
})

test('an origin keeps the paths of the manifest, a url with a path is the base_url', () => {
  expect(urlsOf(manifest, false, 'http://localhost:5000').urls).toEqual([
    'http://localhost:5000/addons',
    'http://localhost:5000/sso?a=1',
  ])
  expect(urlsOf(manifest, false, 'http://localhost:5000/v3').urls).toEqual([
    'http://localhost:5000/v3',
    'http://localhost:5000/sso?a=1',
  ])
})

test('version 1 has root urls', () => {
  const urls = { production: 'https://acme.example', test: 'http://localhost:5000/' }
  const old = { ...manifest, api: { ...manifest.api, version: '1', ...urls } }
  expect(urlsOf(old, false).urls).toEqual(['https://acme.example/heroku/resources', ''])
  expect(urlsOf(old, true).urls).toEqual(['http://localhost:5000/heroku/resources', ''])
})

test('what cannot be called says why', () => {
  const { test: _test, ...api } = manifest.api
  expect(urlsOf({ ...manifest, api }, true)).toMatchObject({
    urls: undefined,
    problem: 'acme.json: api.test.base_url must be an http:// or https:// url',
  })
  const ours = { ...manifest, api: { ...api, production: { base_url: 'nats://acme' } } }
  expect(urlsOf(ours, false).problem).toContain('speaks no HTTP')
  const osb = { service_id: 'service', username: 'user' }
  const broker = { ...manifest, api: { ...api, version: 'osb', osb } }
  expect(urlsOf(broker, false).problem).toContain('an Open Service Broker is checked by')
})
