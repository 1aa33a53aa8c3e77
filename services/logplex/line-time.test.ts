import { expect, test } from 'vitest'
import { ByteWriter } from './byte-writer.ts'
import { readLineTime, writeLineTime } from './line-time.ts'

const shown = (time: string): string => {
  const bytes = Buffer.from(`x${time} host`)
  const writer = new ByteWriter(8)
  writeLineTime(writer, bytes, 1, 1 + Buffer.byteLength(time))
  return writer.finish().toString()
}

test.each([
  ['2019-01-12T11:45:26.371000+00:00', '2019-01-12T11:45:26.371000+00:00'],
  ['2019-01-12T11:45:26.371Z', '2019-01-12T11:45:26.371000+00:00'],
  ['2019-01-12T11:45:26Z', '2019-01-12T11:45:26.000000+00:00'],
  ['2019-01-12T11:45:26.123456789Z', '2019-01-12T11:45:26.123456+00:00'],
  ['2012-01-01T01:30:00.5+02:00', '2011-12-31T23:30:00.500000+00:00'],
  ['2012-12-31T23:30:00-01:30', '2013-01-01T01:00:00.000000+00:00'],
  ['2019-01-12T11:45:26.000001-00:00', '2019-01-12T11:45:26.000001+00:00'],
])('the time %s is shown in microseconds and UTC', (sent, expected) => {
  expect(shown(sent)).toBe(expected)
})

test.each([
  '-',
  'Jan 12',
  '2019-01-12',
  '2019-01-12T11:45:26',
  '2019-01-12T11:45:26.Z',
  '2019-01-12T11:45:26.5+0200',
  '2019-01-12T11:45:26.5+02:99',
  '2019-13-42T11:45:26+02:00',
  '2019-01-12T11:45:26Zulu',
  '9999-12-31T23:59:59-23:59',
  '0000-01-01T00:00:00+23:59',
])('the time %s is no RFC 3339 time and stays as it was sent', (sent) => {
  expect(shown(sent)).toBe(sent)
})

const read = (time: string): number =>
  readLineTime(Buffer.from(`x${time} host`), 1, 1 + Buffer.byteLength(time))

test.each([
  ['2019-01-12T11:45:26.371000+00:00', '2019-01-12T11:45:26.371Z'],
  ['2019-01-12T11:45:26Z', '2019-01-12T11:45:26Z'],
  ['2019-01-12T11:45:26.5z', '2019-01-12T11:45:26.500Z'],
  ['2012-01-01T01:30:00+02:00', '2011-12-31T23:30:00Z'],
  ['2012-12-31T23:30:00.25-01:30', '2013-01-01T01:00:00.250Z'],
  ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00Z'],
  ['0099-06-01T00:00:00Z', '0099-06-01T00:00:00Z'],
  ['2024-02-29T10:00:00Z', '2024-02-29T10:00:00Z'],
  ['2000-02-29T10:00:00Z', '2000-02-29T10:00:00Z'],
  ['9999-12-31T23:59:59Z', '9999-12-31T23:59:59Z'],
  ['0000-01-01T00:00:00Z', '0000-01-01T00:00:00Z'],
  ['2026-08-31T10:00:00Z', '2026-08-31T10:00:00Z'],
])('the time %s is read as %s', (sent, expected) => {
  expect(read(sent)).toBe(Date.parse(expected))
})

test('times are read to the microsecond, in order', () => {
  const [one, two] = [read('2019-01-12T11:45:26.371001Z'), read('2019-01-12T11:45:26.371002Z')]
  expect(two).toBeGreaterThan(one)
  expect(one).toBeCloseTo(Date.parse('2019-01-12T11:45:26.371Z') + 0.001, 2)
})

test.each([
  '-',
  'Jan',
  '2019-01-12T11:45:26',
  '2019-13-12T11:45:26Z',
  '2019-01-42T11:45:26Z',
  '2019-00-12T11:45:26Z',
  '2019-01-12T24:45:26Z',
  '2019-01-12T11:60:26Z',
  '2019-01-12T11:45:61Z',
  '2019-01-12T11:45:26+24:00',
  '2026-02-29T10:00:00Z',
  '1900-02-29T10:00:00Z',
  '2026-04-31T10:00:00Z',
  '2026-11-31T10:00:00Z',
  '9999-12-31T23:59:59-23:59',
  '0000-01-01T00:00:00+23:59',
])('the time %s cannot be read', (sent) => {
  expect(read(sent)).toBeNaN()
})
