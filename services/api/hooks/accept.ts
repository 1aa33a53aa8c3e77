import type { onRequestAsyncHookHandler } from 'fastify'
import { ApiRefusal } from '../api-refusal.ts'

// Heroku's variants ("3.sdk", "3.pipelines" …) differ in what they show; ours show the most.
const version3 = /application\/vnd\.heroku\+json\s*;\s*version=3(?:\.[\w-]+)*\s*(?:[,;]|$)/i

/** Refuses a request that does not name version 3 of the API, so that there can be a version 4. */
export const accept: onRequestAsyncHookHandler = async (request) => {
  if (version3.test(request.headers.accept ?? '')) return
  throw new ApiRefusal(
    'not_acceptable',
    'Say which version of the API you speak: send the header ' +
      '"Accept: application/vnd.heroku+json; version=3".',
  )
}

/** The words of a comma list, such as `Accept-Expansion: addon_service,plan`. */
export function listHeader(header: string | string[] | undefined): ReadonlySet<string> {
  const words = [header ?? []].flat().flatMap((text) => text.split(','))
  return new Set(words.map((word) => word.trim()).filter((word) => word !== ''))
}
