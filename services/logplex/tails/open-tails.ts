import type { AppId } from '#lib/ids.ts'
import type { TailLimits } from './limits.ts'

/** The tails that a process has open: counted, and ended together when it stops. */
export type OpenTails = {
  /** Takes a place for a tail of the app; undefined when there is none. Abort ends the tail. */
  enter: (appId: AppId) => AbortController | undefined
  /** True when that was the app's last tail. */
  leave: (appId: AppId, tail: AbortController) => boolean
  endAll: () => void
  count: () => number
}

export function createOpenTails(limits: TailLimits): OpenTails {
  const byApp = new Map<AppId, number>()
  const open = new Set<AbortController>()
  let stopping = false
  return {
    enter: (appId) => {
      const ofApp = byApp.get(appId) ?? 0
      if (stopping || ofApp >= limits.tailsPerAppMax || open.size >= limits.tailsPerProcessMax)
        return undefined
      const tail = new AbortController()
      byApp.set(appId, ofApp + 1)
      open.add(tail)
      return tail
    },
    leave: (appId, tail) => {
      open.delete(tail)
      const left = (byApp.get(appId) ?? 1) - 1
      if (left > 0) byApp.set(appId, left)
      else byApp.delete(appId)
      return left <= 0
    },
    endAll: () => {
      stopping = true
      for (const tail of open) tail.abort()
    },
    count: () => open.size,
  }
}
