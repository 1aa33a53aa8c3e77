import { expect, test } from 'vitest'
import { assertDrainUrl } from './drain-url.ts'

test.each([
  'https://user:pw@logs.example.com/in?token=1',
  'http://logs.example.com:8080/',
  'syslog://logs.example.com:5514',
  'syslog://93.184.216.34',
  'syslog+tls://logs.example.com#insecure',
  'udpsyslog://logs.example.com',
  'https://logs.example.com/v1/logs#format=otlp&insecure',
])('%s may be a drain', (url) => {
  expect(() => assertDrainUrl(url, false)).not.toThrow()
})

test.each([
  ['not a url', 'it is no url'],
  ['', 'it is no url'],
  [`https://example.com/${'x'.repeat(3_000)}`, 'longer than 2048 characters'],
  ['https://logs.example.com/a\r\nb', 'control character'],
  ['https://logs.example.com/\n', 'control character'],
  ['https://logs.exam\tple.com/', 'control character'],
  ['\u0001https://logs.example.com/', 'control character'],
  ['https://logs.example.com/\u0085', 'control character'],
  ['https://logs.example.com/\u007f', 'control character'],
  ['syslog://logs.example.com\0', 'control character'],
  ['ftp://example.com/', 'ftp: is no drain'],
  ['javascript:alert(1)', 'is no drain'],
  ['syslog+tls://', 'names no host'],
  ['syslog+tls://127.0.0.1', 'local or private'],
  ['tcpsyslog://logs.example.com', 'tcpsyslog: is no drain'],
  ['udpsyslog://[::1]:514', 'local or private'],
  ['syslog:///', 'names no host'],
  ['http://127.0.0.1:9/', 'local or private'],
  ['http://2130706433/', 'local or private'],
  ['http://[::1]/', 'local or private'],
  ['https://localhost/', 'local or private'],
  ['syslog://10.1.2.3:514', 'local or private'],
  ['http://169.254.169.254/latest', 'local or private'],
  ['https://logs.example.com/#format=xml', 'format is logplex, rfc5424, json, otlp, not "xml"'],
  ['syslog://logs.example.com#format=json', 'use format=logplex or format=rfc5424'],
])('%s is refused', (url, reason) => {
  expect(() => assertDrainUrl(url, false)).toThrow(`Invalid drain destination: `)
  expect(() => assertDrainUrl(url, false)).toThrow(reason)
})

test('the operator may allow drains on the own machine', () => {
  expect(() => assertDrainUrl('syslog://127.0.0.1:5514', true)).not.toThrow()
})
