import { setTimeout as delay } from 'node:timers/promises'
import { startWorker } from './worker.ts'

/** What a receiver counts: bytes of a syslog sink, lines of an https sink or of tails. */
export type SinkAsk = { ask: 'port' } | { ask: 'count' } | { ask: 'reset' }

/** A receiver in a process of its own. */
export type Sink = {
  port: number
  /**
   * Waits until so much has come since the last `reset`; answers less when no more comes, and more
   * when something was said besides.
   */
  await: (wanted: number) => Promise<number>
  reset: () => Promise<number>
  stop: () => void
}

/** Without a further one for so long, the rest is lost. */
const stalledMs = 15_000
const pollMs = 10

/** Takes lines over TCP and counts their bytes. */
export const startSyslogSink = (): Promise<Sink> => startSink('syslog-sink-worker.ts')

/** Takes posts with this certificate and counts their lines. */
export const startHttpsSink = (pemFile: string): Promise<Sink> =>
  startSink('https-sink-worker.ts', { BENCH_TLS_PEM: pemFile })

async function startSink(file: string, env?: NodeJS.ProcessEnv): Promise<Sink> {
  const worker = startWorker<SinkAsk, number>(file, env)
  return {
    port: await worker.ask({ ask: 'port' }),
    await: async (wanted) => {
      let last = { count: 0, atMs: performance.now() }
      for (;;) {
        const count = await worker.ask({ ask: 'count' })
        const atMs = performance.now()
        if (count > last.count) last = { count, atMs }
        if (count >= wanted || atMs - last.atMs > stalledMs) return count
        await delay(pollMs)
      }
    },
    reset: () => worker.ask({ ask: 'reset' }),
    stop: worker.stop,
  }
}
