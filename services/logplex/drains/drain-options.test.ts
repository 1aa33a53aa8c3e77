import { expect, test } from 'vitest'
import { addDrainOptions, drainOptionsOf, readDrainOptions } from './drain-options.ts'

const at = 'https://logs.example.com/in'
const none = { source: [], type: [], text: [] }
const plain = { format: 'logplex', include: none, exclude: none, sample: 1, insecure: false }
const read = (url: string) => readDrainOptions(new URL(url))

test.each([
  [at, {}],
  [`${at}#`, {}],
  [`${at}#insecure`, { insecure: true }],
  ['syslog+tls://logs.example.com#insecure&format=rfc5424', { insecure: true, format: 'rfc5424' }],
  ['udpsyslog://logs.example.com#format=rfc5424', { format: 'rfc5424' }],
  [`${at}#format=otlp`, { format: 'otlp' }],
  [`${at}#sample=0.25`, { sample: 0.25 }],
  [`${at}#sample=.5`, { sample: 0.5 }],
  [`${at}#sample=1`, { sample: 1 }],
  [
    `${at}#source=app&source=heroku&type=web.1&text=GET /&exclude-source=x&exclude-type=worker`,
    {
      include: { source: ['app', 'heroku'], type: ['web.1'], text: ['GET /'] },
      exclude: { source: ['x'], type: ['worker'], text: [] },
    },
  ],
  [
    `${at}#exclude-text=100%25%20of%20a%26b=c+d&text=%C5%BElu%C5%A5`,
    {
      include: { ...none, text: ['žluť'] },
      exclude: { ...none, text: ['100% of a&b=c+d'] },
    },
  ],
  [
    `${at}#format=json&source=app&sample=0.1`,
    { format: 'json', include: { ...none, source: ['app'] }, sample: 0.1 },
  ],
])('the options of %s are read', (url, options) => {
  expect(read(url)).toEqual({ ...plain, ...options })
})

const many = Array.from({ length: 21 }, (_, index) => `text=${index}`).join('&')

test.each([
  ['section', 'there is no option "section"; there are format, source, type, text, exclude-source'],
  ['Format=json', 'there is no option "Format"'],
  [`${'x'.repeat(500)}=1`, `there is no option "${'x'.repeat(40)}"`],
  [
    'format=xml',
    'format is logplex, rfc5424, json, otlp, not "xml", as in https://logs.example.com/in#format=json.',
  ],
  ['format', 'format has no value'],
  ['source=', 'source has no value'],
  ['format=json&format=otlp', 'format stands there twice'],
  ['sample=0', 'from 0.000001 to 1, not "0"'],
  ['sample=1.01', 'from 0.000001 to 1'],
  ['sample=-0.1', 'from 0.000001 to 1'],
  ['sample=10%25', 'from 0.000001 to 1, not "10%"'],
  ['sample=1e-3', 'from 0.000001 to 1'],
  ['sample=0.0000001', 'from 0.000001 to 1'],
  ['sample=NaN', 'from 0.000001 to 1'],
  ['insecure=no', 'insecure has no value'],
  ['insecure&insecure', 'insecure stands there twice'],
  ['text=%zz', 'write a percent sign as %25'],
  ['text=%ff', 'text holds a % that begins no character'],
  [`text=${'x'.repeat(257)}`, 'text is longer than 256 bytes'],
  [many, 'text stands there more than 20 times'],
])('#%s is refused with what to write instead', (fragment, reason) => {
  expect(() => read(`${at}#${fragment}`)).toThrow(reason)
  expect(() => read(`${at}#${fragment}`)).toThrow(/, as in https:\/\/logs\.example\.com\/in#.+\.$/)
})

test.each(['syslog', 'syslog+tls', 'udpsyslog'])(
  '%s drains have frames of syslog only',
  (scheme) => {
    const to = (format: string) => () => read(`${scheme}://logs.example.com#format=${format}`)
    expect(to('json')).toThrow(`over ${scheme}:// use format=logplex or format=rfc5424`)
    expect(to('otlp')).toThrow('format=otlp is for https:// and http://')
  },
)

test('a fragment from before there were options means nothing to a drain that runs', () => {
  expect(drainOptionsOf(new URL(`${at}#section&format=json`))).toEqual(plain)
})

test('options that are said beside a url are written into it, and read again the same', () => {
  const said = {
    ...{ format: 'json', sample: 0.5, insecure: true },
    include: { source: ['app', 'heroku'], type: ['web'], text: ['100% of #1 & more', 'žluť'] },
    exclude: { source: [], type: ['web.2'], text: ['a=b'] },
  }
  for (const url of [at, `${at}#`]) expect(read(addDrainOptions(url, said))).toEqual(said)
  const more = addDrainOptions(`${at}#text=x`, { include: { ...none, text: ['y'] } })
  expect(more).toBe(`${at}#text=x&text=y`)
  expect(addDrainOptions(`${at}#insecure`, { include: none, exclude: none })).toBe(`${at}#insecure`)
  expect(() => read(addDrainOptions(`${at}#format=json`, { format: 'otlp' }))).toThrow('twice')
  expect(() => read(addDrainOptions(at, { sample: 0 }))).toThrow('from 0.000001')
})

test('backfill is no property of a drain', () => {
  expect(() => read(`${at}#backfill=all`)).toThrow('backfill is for when a drain is added')
})
