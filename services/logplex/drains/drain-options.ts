import { drainOptionBytesMax, drainOptionValuesMax } from '../limits.ts'

const formats = ['logplex', 'rfc5424', 'json', 'otlp'] as const
/** How the lines of a drain look to its receiver. */
export type DrainLineFormat = (typeof formats)[number]

/** Lines by where they come from and what they say: any one of a list will do. */
type LineWish = { source: string[]; type: string[]; text: string[] }

/**
 * What a drain's url says behind its `#`, which no receiver ever sees:
 * `#format=json&source=app&exclude-type=worker&text=error&sample=0.1&insecure`.
 */
export type DrainOptions = {
  format: DrainLineFormat
  /** Only lines that fit each of these lists that is not empty … */
  include: LineWish
  /** … and none of these … */
  exclude: LineWish
  /** … and of those this share, more than 0 and at most 1. */
  sample: number
  /** Whatever certificate the receiver has will do. */
  insecure: boolean
}

/** What is wrong with a drain's options and what they may be: for the person who wrote them. */
export class DrainOptionError extends Error {
  override readonly name = 'DrainOptionError'
}

/** One line in a million. */
const sampleMin = 0.000001
const example = '#format=json&source=app&sample=0.1'
const once = new Set(['format', 'sample', 'insecure'])
const lists = ['source', 'type', 'text'] as const
const names = ['format', ...lists, ...lists.map((name) => `exclude-${name}`), 'sample', 'insecure']

/**
 * Reads the options of a drain's url.
 *
 * @throws DrainOptionError for one that does not exist, is not what it may be, or does not go with
 * the url's scheme
 */
export function readDrainOptions(url: URL): DrainOptions {
  const options = plainOptions()
  const seen = new Set<string>()
  for (const { name, value } of optionsIn(url.hash)) {
    if (once.has(name) && seen.has(name)) throw refusal(`${name} stands there twice; give it once`)
    seen.add(name)
    setOption(options, name, value)
  }
  const { format } = options
  if ((format === 'json' || format === 'otlp') && !/^https?:$/.test(url.protocol))
    throw refusal(
      `format=${format} is for https:// and http://; over ${url.protocol}// use` +
        ' format=logplex or format=rfc5424',
      '#format=rfc5424',
    )
  return options
}

/**
 * The options by which a drain runs. A url that was added before there were options may have any
 * fragment, which meant nothing then and means nothing now.
 */
export function drainOptionsOf(url: URL): DrainOptions {
  try {
    return readDrainOptions(url)
  } catch (error) {
    if (error instanceof DrainOptionError) return plainOptions()
    throw error
  }
}

/** Options said beside a url; those that are undefined or empty stay as the url has them. */
export type DrainOptionsWish = Partial<Omit<DrainOptions, 'format'>> & { format?: string }

/** The url with these options behind its #, after those that stand there already. */
export function addDrainOptions(url: string, wish: DrainOptionsWish): string {
  const { format, include, exclude, sample, insecure } = wish
  const option = (name: string, value: string): string => `${name}=${encodeURIComponent(value)}`
  const wanted = [
    ...(format ? [option('format', format)] : []),
    ...lists.flatMap((name) => include?.[name].map((value) => option(name, value)) ?? []),
    ...lists.flatMap(
      (name) => exclude?.[name].map((value) => option(`exclude-${name}`, value)) ?? [],
    ),
    ...(sample === undefined ? [] : [option('sample', String(sample))]),
    ...(insecure ? ['insecure'] : []),
  ]
  if (wanted.length === 0) return url
  const [, before] = /#(.*)$/s.exec(url) ?? []
  const between = before === undefined ? '#' : before === '' ? '' : '&'
  return `${url}${between}${wanted.join('&')}`
}

const plainOptions = (): DrainOptions => ({
  format: 'logplex',
  include: { source: [], type: [], text: [] },
  exclude: { source: [], type: [], text: [] },
  sample: 1,
  insecure: false,
})

/** A name without an equals sign has no value. */
function optionsIn(hash: string): { name: string; value: string | undefined }[] {
  const parts = hash.slice(1).split('&')
  return parts
    .filter((part) => part !== '')
    .map((part) => {
      const equals = part.indexOf('=')
      if (equals < 0) return { name: part, value: undefined }
      const name = part.slice(0, equals)
      return { name, value: decode(name, part.slice(equals + 1)) }
    })
}

/** A plus sign is one: only a query, which this is not, takes it for a space. */
function decode(name: string, value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    throw refusal(`${name} holds a % that begins no character; write a percent sign as %25`)
  }
}

function setOption(options: DrainOptions, name: string, value: string | undefined): void {
  if (name === 'insecure') {
    if (value !== undefined)
      throw refusal('insecure has no value; leave it out to verify', '#insecure')
    options.insecure = true
    return
  }
  if (name === 'backfill')
    throw refusal('backfill is for when a drain is added; to have lines once more, replay them')
  if (!names.includes(name))
    throw refusal(`there is no option "${name.slice(0, 40)}"; there are ${names.join(', ')}`)
  if (value === undefined || value === '')
    throw refusal(`${name} has no value; give it one or leave it out`)
  if (name === 'format') options.format = readFormat(value)
  else if (name === 'sample') options.sample = readSample(value)
  else addToList(options, name, value)
}

function readFormat(value: string): DrainLineFormat {
  const format = formats.find((known) => known === value)
  if (format) return format
  throw refusal(`format is ${formats.join(', ')}, not "${value.slice(0, 40)}"`, '#format=json')
}

function readSample(value: string): number {
  const share = /^\d*\.?\d+$/.test(value) ? Number(value) : NaN
  if (share >= sampleMin && share <= 1) return share
  const says = 'sample is the share of the lines that is sent, from 0.000001 to 1'
  throw refusal(`${says}, not "${value.slice(0, 40)}"`, '#sample=0.1')
}

function addToList({ include, exclude }: DrainOptions, name: string, value: string): void {
  const key = lists.find((list) => name === list || name === `exclude-${list}`)
  if (!key) throw new Error(`${name} is no list`)
  const list = name === key ? include[key] : exclude[key]
  if (Buffer.byteLength(value) > drainOptionBytesMax)
    throw refusal(`a value of ${name} is longer than ${drainOptionBytesMax} bytes; shorten it`)
  if (list.length === drainOptionValuesMax)
    throw refusal(`${name} stands there more than ${drainOptionValuesMax} times; leave some out`)
  // Each value is looked for in every line.
  if (!list.includes(value)) list.push(value)
}

function refusal(reason: string, shown = example): DrainOptionError {
  return new DrainOptionError(`${reason}, as in https://logs.example.com/in${shown}.`)
}
