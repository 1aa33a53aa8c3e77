import type { Log } from '#lib/log.ts'

export type Periodic = {
  /** Do it now, or once more right after the run in progress. */
  wake: () => void
  /** Starts no other run and waits for the one in progress. */
  stop: () => Promise<void>
}

/**
 * Runs `work` again and again, `everyMs` after the last run ended, and never twice at a time. A
 * run that throws is logged and the next one comes. The first run comes after `everyMs`.
 */
export function startPeriodic(options: {
  what: string
  everyMs: number
  work: () => Promise<void>
  log: Log
}): Periodic {
  const { what, everyMs, work, log } = options
  let stopped = false
  let again = false
  let running: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined

  const run = (): void => {
    clearTimeout(timer)
    again = false
    running = work()
      .catch((error: unknown) => log.warn({ err: error, what }, 'periodic work failed'))
      .finally(() => {
        running = undefined
        if (stopped) return
        if (again) run()
        else timer = setTimeout(run, everyMs)
      })
  }

  timer = setTimeout(run, everyMs)
  return {
    wake: () => {
      if (stopped) return
      if (running) again = true
      else run()
    },
    stop: async () => {
      stopped = true
      clearTimeout(timer)
      await running
    },
  }
}
