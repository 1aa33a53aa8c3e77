import { expect, test } from 'vitest'
import { assertExporterHeaders, exporterText, otlpUrl, readExporter } from './exporter.ts'

test.each([
  ['https://otlp.example.com', 'https://otlp.example.com/v1/logs#format=otlp'],
  ['http://otlp.example.com:4318/', 'http://otlp.example.com:4318/v1/logs#format=otlp'],
  ['https://example.com/otlp/', 'https://example.com/otlp/v1/logs#format=otlp'],
  ['https://example.com/a/v1/logs', 'https://example.com/a/v1/logs#format=otlp'],
  ['https://example.com/v1/logs/?k=v', 'https://example.com/v1/logs?k=v#format=otlp'],
  ['https://u:p@example.com#insecure', 'https://u:p@example.com/v1/logs#insecure&format=otlp'],
  ['https://x.example#source=app', 'https://x.example/v1/logs#source=app&format=otlp'],
])('the logs of an app go from %s to %s', (endpoint, url) => {
  expect(otlpUrl(endpoint)).toBe(url)
})

test.each([
  ['', 'https:// or http:// url'],
  ['otlp.example.com:4317', 'https:// or http:// url'],
  ['grpc://otlp.example.com', 'https:// or http:// url'],
  ['syslog://otlp.example.com', 'https:// or http:// url'],
  ['https://otlp.exam\nple.com', 'https:// or http:// url'],
  [`https://example.com/${'x'.repeat(1_000)}`, 'at most 1000 characters'],
  ['https://example.com#format=json', 'speaks OTLP. Leave format= out'],
])('the endpoint %j is refused', (endpoint, reason) => {
  expect(() => otlpUrl(endpoint)).toThrow(/^Invalid endpoint: /)
  expect(() => otlpUrl(endpoint)).toThrow(reason)
})

const headersOf = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`x-${n}`, 'v']))

test.each([{}, { 'API-Key': 'key 1', Environment_2: '' }, headersOf(20)])(
  'headers may be %j',
  (headers) => {
    expect(() => assertExporterHeaders(headers)).not.toThrow()
  },
)

test.each([
  [headersOf(21), 'there may be 20, not 21'],
  [{ '': 'v' }, 'a name is 1 to 100 letters'],
  [{ 'x y': 'v' }, 'a name is 1 to 100 letters'],
  [{ 'x\r\ny': 'v' }, 'a name is 1 to 100 letters'],
  [{ ['x'.repeat(101)]: 'v' }, 'a name is 1 to 100 letters'],
  [{ Host: 'internal.example' }, 'Host is set by Plexus'],
  [{ 'content-length': '0' }, 'content-length is set by Plexus'],
  [{ 'Transfer-Encoding': 'chunked' }, 'Transfer-Encoding is set by Plexus'],
  [{ 'Logplex-Drain-Token': 'd.1' }, 'Logplex-Drain-Token is set by Plexus'],
  [{ key: '1', Key: '2' }, 'Key is there twice'],
  [{ key: 'secret\nx: y' }, 'the value of key must be'],
  [{ key: 'secret\u0000' }, 'the value of key must be'],
  [{ key: 'secrét' }, 'the value of key must be'],
  [{ key: `secret${'x'.repeat(1_000)}` }, 'at most 1000 printable ASCII'],
])('headers may not be %j', (headers, reason) => {
  const check = (): void => assertExporterHeaders(headers)
  expect(check).toThrow(/^Invalid headers: /)
  expect(check).toThrow(reason)
  expect(check).not.toThrow('secr')
})

test('an exporter is the same in whatever order its headers stand, and is read as it was', () => {
  const exporter = { endpoint: 'https://x.example', headers: { b: '2', a: '1' } }
  const turned = { headers: { a: '1', b: '2' }, endpoint: 'https://x.example' }
  expect(exporterText(exporter)).toBe(exporterText(turned))
  expect(readExporter(exporterText(exporter))).toEqual(exporter)
  const other = { ...exporter, headers: { ...exporter.headers, a: '2' } }
  expect(exporterText(other)).not.toBe(exporterText(exporter))
})
