import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '#lib/backoff.ts'

/** A process that has said it is ready. */
export type Running = { child: ChildProcess; stop: () => Promise<void> }

export type Supervised = { name: string; stop: () => Promise<void> }

const restart = { firstMs: 200, maxMs: 10_000 }
/** A process that lived this long had started well: its next end is a first one again. */
const stableMs = 30_000

/**
 * Starts a process, and starts it again whenever it ends by itself, waiting longer each time.
 * A first start that fails throws; later ones are tried for ever and told with `report`.
 */
export async function supervise(options: {
  name: string
  start: () => Promise<Running>
  report: (text: string) => void
}): Promise<Supervised> {
  const { name, start, report } = options
  const stopping = new AbortController()
  let running: Running | undefined = await start()

  const watch = async (): Promise<void> => {
    let tries = 0
    while (!stopping.signal.aborted) {
      if (running) {
        const startedAt = Date.now()
        const how = await ended(running.child)
        running = undefined
        if (stopping.signal.aborted) return
        tries = Date.now() - startedAt > stableMs ? 1 : tries + 1
        report(`${name} ended (${how}); starting it again`)
      }
      const waited = await delay(backoffMs(tries, restart), true, {
        signal: stopping.signal,
      }).catch(() => false)
      if (!waited) return
      try {
        running = await start()
        report(`${name} is up again`)
      } catch (error) {
        tries++
        report(`${name} could not be started: ${(error as Error).message}`)
      }
    }
  }
  const watching = watch()

  return {
    name,
    stop: async () => {
      stopping.abort()
      await running?.stop()
      await watching
      // A start that was under way when we were told to stop.
      await running?.stop()
    },
  }
}

async function ended(child: ChildProcess): Promise<string> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.signalCode ?? `status ${child.exitCode}`
}
