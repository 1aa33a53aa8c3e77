import type { preValidationAsyncHookHandler } from 'fastify'
import { isStorable } from '#lib/storable.ts'
import { ApiRefusal } from '../api-refusal.ts'

/** Refuses what no database can hold, or would hold as another text, anywhere in a request. */
export const refuseUnstorable: preValidationAsyncHookHandler = async ({ params, query, body }) => {
  if (allStorable([params, query, body])) return
  throw new ApiRefusal(
    'bad_request',
    'Texts may not contain a NUL character (%00 or \\u0000) or half a surrogate pair (\\ud800). Take' +
      ' it out.',
  )
}

/** Looks through names and values; without recursion, for a body may be nested very deep. */
function allStorable(root: unknown): boolean {
  const left: unknown[] = [root]
  while (left.length > 0) {
    const value = left.pop()
    if (typeof value === 'string' && !isStorable(value)) return false
    if (typeof value === 'object' && value !== null)
      for (const entry of Object.entries(value)) left.push(...entry)
  }
  return true
}
