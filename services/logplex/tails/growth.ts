import type { AppId } from '#lib/ids.ts'
import type { AppLog } from '../app-log/app-log.ts'

/** Listens to one app's log for one tail. */
export type Growth = {
  /**
   * True once the log is known to reach past `head`, false when `ms` pass first or it was ended.
   */
  waitPast: (head: number, ms: number) => Promise<boolean>
  /** The log was lost and its numbers began anew: what was heard so far says nothing. */
  forget: () => void
  end: () => void
}

export function watchGrowth(appLog: AppLog, appId: AppId): Growth {
  let known = 0
  let wake: (() => void) | undefined
  let ended = false
  const stopListening = appLog.onGrew(appId, (head) => {
    known = Math.max(known, head)
    wake?.()
  })
  return {
    waitPast: async (head, ms) => {
      if (!ended && known <= head) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms)
          wake = () => {
            if (known <= head && !ended) return
            clearTimeout(timer)
            resolve()
          }
        })
        wake = undefined
      }
      return known > head
    },
    forget: () => {
      known = 0
    },
    end: () => {
      ended = true
      stopListening()
      wake?.()
    },
  }
}
