import * as limits from './limits.ts'
import { createTokenBuckets } from './token-buckets.ts'

/** How many more logins may fail, by e-mail address and by peer address. */
export type LoginAllowances = {
  /**
   * Takes one try of both. Undefined, and takes nothing, when one of them has none left; else what
   * gives the try back, for a login that did not fail.
   */
  take: (email: string, peer: string) => (() => void) | undefined
}

export function createLoginAllowances(): LoginAllowances {
  const byEmail = createTokenBuckets({
    capacity: limits.loginFailuresPerEmailMax,
    perMinute: limits.loginFailuresPerEmailPerMinute,
    keysMax: limits.bucketsMax,
  })
  const byPeer = createTokenBuckets({
    capacity: limits.loginFailuresPerPeerMax,
    perMinute: limits.loginFailuresPerPeerPerMinute,
    keysMax: limits.bucketsMax,
  })
  return {
    take: (email, peer) => {
      const key = email.trim().toLowerCase().slice(0, limits.loginEmailCharsMax)
      // The peer first: one that is refused anyway must not use up an address that is not his.
      if (!byPeer.take(peer)) return undefined
      if (!byEmail.take(key)) {
        byPeer.giveBack(peer)
        return undefined
      }
      return () => {
        byEmail.giveBack(key)
        byPeer.giveBack(peer)
      }
    },
  }
}
