import { expect, test } from 'vitest'
import { flattenCredentials } from './osb-credentials.ts'

const flatten = (credentials: unknown) => flattenCredentials('STORE', credentials)

test('each credential is a variable: uri is URL, what is no text becomes text, null is left out', () => {
  const credentials = {
    uri: 'osb://host',
    jdbcUrl: 'jdbc:osb',
    'api-key.v2': 'k',
    port: 5432,
    tls: true,
    hosts: ['a', { b: 1 }],
    nothing: null,
  }
  expect(flatten(credentials)).toEqual({
    config: {
      STORE_URL: 'osb://host',
      STORE_JDBC_URL: 'jdbc:osb',
      STORE_API_KEY_V2: 'k',
      STORE_PORT: '5432',
      STORE_TLS: 'true',
      STORE_HOSTS: '["a",{"b":1}]',
    },
  })
  expect(flatten({ uri: 'u', url: 'v' })).toEqual({ config: { STORE_URI: 'u', STORE_URL: 'v' } })
  expect(flatten(undefined)).toEqual({ config: {} })
})

test.each<[unknown, string]>([
  ['text', 'credentials that are no object'],
  [['a'], 'credentials that are no object'],
  [{ 'a-b': 1, a_b: 2 }, 'two credentials for STORE_A_B'],
  [{ '\u001B[31m': 1, '--': 2 }, 'a credential "--", which makes no variable'],
  [{ ['x'.repeat(300)]: 1 }, 'which makes no variable'],
  [{ a: 'b\0' }, 'a value of STORE_A that is no text'],
  [{ a: 'b\ud800' }, 'a value of STORE_A that is no text'],
  [Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`k${n}`, n])), '101 credentials'],
])('%j is told', (credentials, why) => {
  expect(flatten(credentials)).toEqual({ unusable: expect.stringContaining(why) })
})
