import type { preValidationAsyncHookHandler } from 'fastify'
import { ApiRefusal } from '../api-refusal.ts'

/** Refuses a NUL in any text of a request: no database text can hold one. */
export const refuseNul: preValidationAsyncHookHandler = async ({ params, query, body }) => {
  if (!hasNul([params, query, body])) return
  throw new ApiRefusal(
    'bad_request',
    'Texts may not contain a NUL character (%00 or \\u0000). Take it out.',
  )
}

/** Looks through names and values; without recursion, for a body may be nested very deep. */
function hasNul(root: unknown): boolean {
  const left: unknown[] = [root]
  while (left.length > 0) {
    const value = left.pop()
    if (typeof value === 'string' && value.includes('\0')) return true
    if (typeof value === 'object' && value !== null)
      for (const entry of Object.entries(value)) left.push(...entry)
  }
  return false
}
