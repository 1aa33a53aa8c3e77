import { expect, test } from 'vitest'
import { assertWebhookUrl } from './webhook-url.ts'

test.each(['https://example.com/hooks?token=a', 'http://203.0.113.7.example.com:8080'])(
  '%j can be a webhook',
  (url) => expect(() => assertWebhookUrl(url, false)).not.toThrow(),
)

test.each([
  ['ftp://example.com', 'Use https:// or http://'],
  ['example.com/hooks', 'it is no url'],
  ['https://example.com/a\nb', 'control character'],
  [`https://example.com/${'a'.repeat(2_048)}`, 'too long'],
  ['https://user:password@example.com', 'authorization instead'],
  ['http://localhost:4000', 'local or private'],
  ['http://api.localhost', 'local or private'],
  ['http://127.1:4000', 'local or private'],
  ['http://[::1]/', 'local or private'],
  ['http://169.254.169.254/latest', 'local or private'],
])('%j cannot: %s', (url, refusal) => expect(() => assertWebhookUrl(url, false)).toThrow(refusal))

test('a local address is good where the operator allows it', () => {
  expect(() => assertWebhookUrl('http://127.0.0.1:9000', true)).not.toThrow()
})
