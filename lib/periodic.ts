import type { Log } from '#lib/log.ts'

/**
 * Runs `work` again and again, `everyMs` after the last run ended, and never twice at a time. A
 * run that throws is logged and the next one comes. The first run comes after `everyMs`.
 *
 * @returns a function that starts no other run and waits for the one in progress.
 */
export function startPeriodic(options: {
  what: string
  everyMs: number
  work: () => Promise<void>
  log: Log
}): () => Promise<void> {
  const { what, everyMs, work, log } = options
  let stopped = false
  let running: Promise<void> | undefined

  const run = async (): Promise<void> => {
    await work().catch((error: unknown) => log.warn({ err: error, what }, 'periodic work failed'))
    if (!stopped) later()
  }
  let timer: NodeJS.Timeout
  const later = (): void => {
    timer = setTimeout(() => {
      running = run()
    }, everyMs)
  }

  later()
  return async () => {
    stopped = true
    clearTimeout(timer)
    await running
  }
}
