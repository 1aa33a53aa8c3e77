import type { FastifyReply, FastifyRequest } from 'fastify'
import { describePage } from './hooks/ranges.ts'
import { nextRange, parseRange, unsatisfiable, type Range } from './range.ts'

/** The part of a list that is asked for by a number of its items, as the services take it. */
export type NumberRange = {
  range: Range
  descending: boolean
  limit: number
  /** Bounds in the direction of the order, inclusive; 0: open. */
  first: number
  last: number
}

/**
 * Reads the Range header of a list that its service cuts by a number, such as a release's version.
 * Undefined when nothing can lie within it, for which the services have no number left to say so.
 *
 * @throws ApiRefusal requested_range_not_satisfiable for another property, or a bound that is none.
 */
function parseNumberRange(
  header: string | undefined,
  property: string,
  highest: number,
): NumberRange | undefined {
  // Clients ask every list for `id ..`; the order of this one is that of its numbers.
  const range = parseRange(header, [property, 'id'])
  const { start, end, startExclusive, endExclusive, descending, max: limit } = range
  const bounds = [start, end].filter((bound) => bound !== undefined)
  const isNumber = (bound: string): boolean => /^\d{1,16}$/.test(bound) && Number(bound) < highest
  if (!bounds.every(isNumber) || (range.property === 'id' && bounds.length > 0))
    throw unsatisfiable([property])
  const step = descending ? -1 : 1
  const first = start === undefined ? 0 : Number(start) + (startExclusive ? step : 0)
  const last = end === undefined ? 0 : Number(end) - (endExclusive ? step : 0)
  const beyond = descending ? start !== undefined && first < 1 : end !== undefined && last < 1
  return beyond ? undefined : { range: { ...range, property }, descending, limit, first, last }
}

/** A list that its service cuts by a number of its items. */
export type NumberedList<T> = {
  /** The number's name in the Range header. */
  property: string
  /** Above every bound, for the service's own numbers go no further. */
  highest: number
  numberOf: (item: T) => number | bigint
  ask: (range: NumberRange) => Promise<{ items: T[]; hasMore: boolean }>
  render: (item: T) => unknown
}

/**
 * The page of a list that the Range header asks for; sets the headers of a page.
 *
 * @throws ApiRefusal requested_range_not_satisfiable for another property, or a bound that is none.
 */
export async function pageByNumber<T>(
  request: Pick<FastifyRequest, 'headers'>,
  reply: FastifyReply,
  { property, highest, numberOf, ask, render }: NumberedList<T>,
): Promise<unknown[]> {
  const wanted = parseNumberRange(request.headers.range, property, highest)
  if (!wanted) return []
  const { items, hasMore } = await ask(wanted)
  const valueOf = (item: T): string => String(numberOf(item))
  const last = items.at(-1)
  const next = hasMore && last !== undefined ? nextRange(wanted.range, valueOf(last)) : undefined
  describePage(reply, { page: { items, next }, properties: [property], property, valueOf })
  return items.map((item) => render(item))
}
