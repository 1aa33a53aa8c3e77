import type { FastifyReply, preSerializationAsyncHookHandler } from 'fastify'
import { applyRange, parseRange, type Page } from '../range.ts'

const rangedByDefault = ['id'] as const

/**
 * Cuts a list to the page that the Range header asks for. A route names the properties in its
 * config; one that pages by itself (releases) names none.
 */
export const ranges: preSerializationAsyncHookHandler = async (request, reply, payload) => {
  const properties = request.routeOptions.config.ranges ?? rangedByDefault
  const readable = request.method === 'GET' || request.method === 'HEAD'
  if (!readable || properties.length === 0 || !Array.isArray(payload)) return payload
  const range = parseRange(request.headers.range, properties)
  const valueOf = (item: unknown): string => valueAt(item, range.property)
  const page = applyRange(payload as unknown[], range, valueOf)
  describePage(reply, { page, properties, property: range.property, valueOf })
  return page.items
}

/** Sets the headers of a page: 206 and Next-Range only when something follows it. */
export function describePage<T>(
  reply: FastifyReply,
  options: {
    page: Page<T>
    properties: readonly string[]
    property: string
    valueOf: (item: T) => string
  },
): void {
  const { page, properties, property, valueOf } = options
  reply.header('Accept-Ranges', properties.join(', '))
  const first = page.items[0]
  const last = page.items.at(-1)
  if (first !== undefined && last !== undefined)
    reply.header('Content-Range', `${property} ${valueOf(first)}..${valueOf(last)}`)
  if (page.next !== undefined) reply.code(206).header('Next-Range', page.next)
}

function valueAt(item: unknown, property: string): string {
  if (typeof item !== 'object' || item === null) return ''
  const value: unknown = Reflect.get(item, property)
  return typeof value === 'string' ? value : ''
}
