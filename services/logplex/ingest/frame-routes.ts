import type { Post } from '../app-log/chunk.ts'
import { strangersPerPostMax } from '../limits.ts'
import type { SyslogMessage } from '../syslog/message.ts'
import { forEachMessage } from './logs-body.ts'
import type { TokenLookup } from './token-lookup.ts'
import type { TokenRoute, TokenTable } from './token-table.ts'

/** Where a post's lines go, line by line, and what is known of the post in each app's log. */
export type FrameRoutes = {
  /** Undefined: nobody has the frame's token. */
  routeOf: (bytes: Uint8Array, message: SyslogMessage) => TokenRoute | undefined
  /** What the lines of a route are part of, if the post may come again. */
  postOf: (route: TokenRoute) => Post | undefined
  /** Those that lines went to. */
  used: () => Iterable<TokenRoute>
}

/** All lines into one app's log, whatever token is in the frames. */
export function oneRoute(route: TokenRoute, postId: string | undefined): FrameRoutes {
  const post = postId === undefined ? undefined : { id: postId, lines: 0 }
  return { routeOf: () => route, postOf: () => post, used: () => [route] }
}

/** Each line where the token in its APP-NAME says. */
export function routesByToken(tokens: TokenTable, postId: string | undefined): FrameRoutes {
  // Per app: two tokens of one app are two names for the same log.
  const posts = new Map<TokenRoute['appId'], Post>()
  const used = new Set<TokenRoute>()
  return {
    routeOf: (bytes, { appStart, appEnd }) => {
      const route = tokens.find(bytes, appStart, appEnd)
      if (route) used.add(route)
      return route
    },
    postOf: ({ appId }) => {
      if (postId === undefined) return undefined
      const known = posts.get(appId)
      if (known) return known
      const post = { id: postId, lines: 0 }
      posts.set(appId, post)
      return post
    },
    used: () => used,
  }
}

/**
 * Looks up the tokens of a checked body that this process does not know: another may just have made
 * them. Of too many in one post the rest stays unknown.
 *
 * @throws what TokenLookup.route throws when that cannot be done now.
 */
export async function learnTokens(
  body: Uint8Array,
  tokens: TokenTable,
  lookup: TokenLookup,
): Promise<void> {
  const strangers = new Set<string>()
  forEachMessage(body, (bytes, { appStart, appEnd }) => {
    if (strangers.size >= strangersPerPostMax || tokens.find(bytes, appStart, appEnd)) return
    const token = Buffer.from(bytes.subarray(appStart, appEnd)).toString('latin1')
    if (!lookup.isHopeless(token)) strangers.add(token)
  })
  for (const token of strangers) await lookup.route(token)
}
