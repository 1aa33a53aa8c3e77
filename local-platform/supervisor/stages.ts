import type { Say } from '../progress.ts'
import { supervise, type Running } from './supervise.ts'

/** What has been started, to be stopped in the reverse order. */
export type Stages = {
  /** Aborts when somebody wants us to stop. */
  signal: AbortSignal
  /** Starts a process under supervision; it is stopped with the others. */
  keep: (name: string, start: () => Promise<Running>) => Promise<void>
  /** Runs starts that do not depend on each other; they are stopped at once, too. */
  group: (starts: () => Promise<void>) => Promise<void>
  onStop: (name: string, stop: () => Promise<void> | void) => void
  /** Stops everything, once; every caller waits for the same end. */
  stop: () => Promise<void>
}

type Stage = { name: string; stop: () => Promise<void> | void }

/** Ctrl-C reaches us by several ways (the terminal, npm, the launcher): within this it is one. */
const oneSignalMs = 1_000

/**
 * The life of a supervisor. The first SIGINT, SIGTERM or SIGHUP aborts `signal`; a second one
 * kills all that is left and ends us. `stopped` runs after the last stage.
 */
export function createStages(options: {
  say: Say
  stopped: (force: boolean) => Promise<void>
}): Stages {
  const { say, stopped } = options
  const stopping = new AbortController()
  const groups: Stage[][] = []
  let group: Stage[] | undefined
  let stop: Promise<void> | undefined
  let firstSignalAt: number | undefined

  const onSignal = (signal: string): void => {
    firstSignalAt ??= Date.now()
    if (!stopping.signal.aborted) {
      say(`stopping (${signal}; once more kills at once) …`)
      stopping.abort()
    } else if (Date.now() - firstSignalAt > oneSignalMs) {
      say('killing what is left')
      void stopped(true).finally(() => process.exit(1))
    }
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, onSignal)

  const stopAll = async (): Promise<void> => {
    stopping.abort()
    for (const stages of groups.splice(0).toReversed())
      await Promise.all(stages.map((stage) => stopStage(stage, say)))
    await stopped(false)
  }

  const add = (stage: Stage): void => {
    if (group) group.push(stage)
    else groups.push([stage])
  }

  return {
    signal: stopping.signal,
    keep: async (name, start) => {
      const guarded = async (): Promise<Running> => {
        stopping.signal.throwIfAborted()
        return start()
      }
      add(await supervise({ name, start: guarded, report: say }))
    },
    group: async (starts) => {
      group = []
      groups.push(group)
      try {
        await starts()
      } finally {
        group = undefined
      }
      stopping.signal.throwIfAborted()
    },
    onStop: (name, end) => add({ name, stop: end }),
    stop: () => (stop ??= stopAll()),
  }
}

async function stopStage({ name, stop }: Stage, say: Say): Promise<void> {
  try {
    await stop()
  } catch (error) {
    say(`${name} did not stop cleanly: ${(error as Error).message}`)
  }
}
