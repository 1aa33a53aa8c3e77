import { ApiRefusal } from './api-refusal.ts'
import { pageSizeDefault, pageSizeMax } from './limits.ts'

/** A Range header of the Platform API: `<property> [start]..[end]; order=desc, max=N`. */
export type Range = {
  property: string
  /** Bounds in the direction of the order; undefined: open. */
  start: string | undefined
  startExclusive: boolean
  end: string | undefined
  endExclusive: boolean
  descending: boolean
  max: number
}

export type Page<T> = {
  items: T[]
  /** The Range header that asks for what follows; undefined at the end of the list. */
  next: string | undefined
}

const bounds = /^(\w+)\s+(\]?)(.*?)\.\.(.*?)(\[?)$/

/**
 * Reads a Range header; absent or empty means the first page by the first of `properties`.
 * @throws ApiRefusal requested_range_not_satisfiable for any other property or form.
 */
export function parseRange(header: string | undefined, properties: readonly string[]): Range {
  const [spec = '', ...rest] = (header ?? '').split(/[;,]/).map((part) => part.trim())
  const range: Range = {
    property: properties[0] ?? 'id',
    start: undefined,
    startExclusive: false,
    end: undefined,
    endExclusive: false,
    descending: false,
    max: pageSizeDefault,
  }
  if (spec !== '') {
    const [, property = '', open, start, end, close] = bounds.exec(spec) ?? []
    if (!properties.includes(property)) throw unsatisfiable(properties)
    range.property = property
    range.start = start || undefined
    range.startExclusive = open === ']'
    range.end = end || undefined
    range.endExclusive = close === '['
  }
  for (const option of rest) readOption(option, range, properties)
  return range
}

function readOption(option: string, range: Range, properties: readonly string[]): void {
  if (option === '') return
  const [, name, value = ''] = /^(\w+)\s*=\s*(\w+)$/.exec(option) ?? []
  if (name === 'order' && (value === 'asc' || value === 'desc')) range.descending = value === 'desc'
  else if (name === 'max' && /^\d{1,9}$/.test(value) && Number(value) > 0)
    range.max = Math.min(Number(value), pageSizeMax)
  else throw unsatisfiable(properties)
}

export function unsatisfiable(properties: readonly string[]): ApiRefusal {
  return new ApiRefusal(
    'requested_range_not_satisfiable',
    `The Range header is not understood. This list goes by ${properties.join(', ')}: ` +
      `for example "${properties[0] ?? 'id'} ..; max=100, order=desc".`,
  )
}

/** The part of `items` that the range asks for, in its order. `valueOf` must be unique. */
export function applyRange<T>(
  items: readonly T[],
  range: Range,
  valueOf: (item: T) => string,
): Page<T> {
  const direction = range.descending ? -1 : 1
  const compare = (a: string, b: string): number => direction * (a < b ? -1 : a > b ? 1 : 0)
  const inside = items
    .filter((item) => isInside(valueOf(item), range, compare))
    .toSorted((a, b) => compare(valueOf(a), valueOf(b)))
  const page = inside.slice(0, range.max)
  const last = page.at(-1)
  const more = inside.length > page.length && last !== undefined
  return { items: page, next: more ? nextRange(range, valueOf(last)) : undefined }
}

function isInside(value: string, range: Range, compare: (a: string, b: string) => number): boolean {
  const { start, end, startExclusive, endExclusive } = range
  const afterStart = start === undefined || compare(value, start) >= (startExclusive ? 1 : 0)
  const beforeEnd = end === undefined || compare(value, end) <= (endExclusive ? -1 : 0)
  return afterStart && beforeEnd
}

/** The header that continues `range` behind the last value of a page. */
export function nextRange(range: Range, last: string): string {
  const end = range.end === undefined ? '' : `${range.end}${range.endExclusive ? '[' : ''}`
  const order = range.descending ? ', order=desc' : ''
  return `${range.property} ]${last}..${end}; max=${range.max}${order}`
}
