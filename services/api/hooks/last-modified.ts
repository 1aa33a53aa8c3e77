import type { preSerializationAsyncHookHandler } from 'fastify'

/** Says when what is answered last changed, where its `updated_at` tells: of a list, the newest. */
export const lastModified: preSerializationAsyncHookHandler = async (request, reply, payload) => {
  if (request.method !== 'GET' && request.method !== 'HEAD') return payload
  const times = [payload].flat().map(updatedAt)
  const newest = times.reduce((a, b) => (a > b ? a : b), '')
  if (newest !== '') reply.header('Last-Modified', new Date(newest).toUTCString())
  return payload
}

function updatedAt(item: unknown): string {
  if (typeof item !== 'object' || item === null || !('updated_at' in item)) return ''
  return typeof item.updated_at === 'string' ? item.updated_at : ''
}
