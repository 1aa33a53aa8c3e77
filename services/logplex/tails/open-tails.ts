import type { AppId } from '#lib/ids.ts'
import type { FindRevocations, LogSession } from '../log-session.ts'
import type { TailLimits } from './limits.ts'

/** The tails that a process has open: counted, and ended together when it stops. */
export type OpenTails = {
  /** Takes a place for a tail of the session; undefined when there is none. Abort ends the tail. */
  enter: (session: LogSession) => AbortController | undefined
  /** True when that was the app's last tail. */
  leave: (session: LogSession, tail: AbortController) => boolean
  /**
   * Ends the tails whose sessions have been revoked since; rejects when some could not be asked
   * about.
   */
  endRevoked: (findRevocations: FindRevocations) => Promise<void>
  endAll: () => void
}

export function createOpenTails(limits: TailLimits): OpenTails {
  const byApp = new Map<AppId, Map<AbortController, LogSession>>()
  let count = 0
  let stopping = false
  return {
    enter: (session) => {
      const ofApp = byApp.get(session.appId) ?? new Map<AbortController, LogSession>()
      if (stopping || ofApp.size >= limits.tailsPerAppMax || count >= limits.tailsPerProcessMax)
        return undefined
      const tail = new AbortController()
      ofApp.set(tail, session)
      byApp.set(session.appId, ofApp)
      count++
      return tail
    },
    leave: ({ appId }, tail) => {
      const ofApp = byApp.get(appId)
      if (ofApp?.delete(tail)) count--
      if (ofApp && ofApp.size > 0) return false
      byApp.delete(appId)
      return true
    },
    endRevoked: async (findRevocations) => {
      const asking = [...byApp].map(async ([appId, ofApp]) => {
        const isRevoked = await findRevocations(appId)
        for (const [tail, session] of ofApp) if (isRevoked(session)) tail.abort()
      })
      await Promise.all(asking)
    },
    endAll: () => {
      stopping = true
      for (const ofApp of byApp.values()) for (const tail of ofApp.keys()) tail.abort()
    },
  }
}
