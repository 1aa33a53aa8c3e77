import { readConfig, type ConfigOf } from '#lib/config.ts'
import { createLog, type Log } from '#lib/log.ts'

/** What a service's start function is given to be stopped again. */
export type Lifecycle = {
  log: Log
  /**
   * Says how to stop what was just started. Stopping runs in the reverse order of starting, each
   * stage within its deadline; one that fails or is late is logged and the next one goes on.
   */
  onStop: (stage: string, stop: () => Promise<unknown> | void, deadlineMs?: number) => void
}

type Stage = { name: string; stop: () => Promise<unknown> | void; deadlineMs: number }

const stageDeadlineMs = 5_000

/** A lifecycle with its own stop function. */
function createLifecycle(log: Log): Lifecycle & { stop: () => Promise<void> } {
  const stages: Stage[] = []
  return {
    log,
    onStop: (name, stop, deadlineMs = stageDeadlineMs) =>
      void stages.push({ name, stop, deadlineMs }),
    stop: async () => {
      for (const stage of stages.splice(0).toReversed()) await stopStage(stage, log)
    },
  }
}

async function stopStage({ name, stop, deadlineMs }: Stage, log: Log): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not stopped within ${deadlineMs} ms`)), deadlineMs)
  })
  try {
    await Promise.race([stop(), late])
  } catch (error) {
    log.warn({ err: error, stage: name }, 'stage did not stop cleanly')
  } finally {
    clearTimeout(timer)
  }
}

/**
 * The whole life of a service's process: reads its configuration, starts it, and stops it on
 * SIGTERM or SIGINT. A second signal, or a start that fails, ends the process at once with status 1.
 */
export async function runService<S extends Parameters<typeof readConfig>[0]>(
  name: string,
  settings: S,
  start: (config: ConfigOf<S>, lifecycle: Lifecycle) => Promise<void>,
): Promise<void> {
  const log = createLog(name, process.env['PLEXUS_LOG_LEVEL'] || 'info')
  const lifecycle = createLifecycle(log)
  let stopping = false
  const onSignal = (signal: string): void => {
    if (stopping) process.exit(1)
    stopping = true
    log.info({ signal }, 'stopping')
    // Whatever still holds the event loop then is no reason to stay.
    void lifecycle.stop().then(() => setTimeout(() => process.exit(0), 1_000).unref())
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  process.on('unhandledRejection', (error) => {
    log.fatal({ err: error }, 'unhandled rejection')
    process.exit(1)
  })
  try {
    await start(readConfig(settings, process.env), lifecycle)
    log.info('ready')
  } catch (error) {
    log.fatal({ err: error }, 'could not start')
    process.exit(1)
  }
}
