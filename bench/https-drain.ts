import type { Bench, Figures } from './bench.ts'
import { costOf } from './cost.ts'
import type { BenchEngines } from './engines.ts'
import { saturated } from './frames.ts'
import { makeApps, startPlexer } from './plexer.ts'
import { startHttpsSink } from './sinks.ts'
import type { TcpLoad } from './tcp-load-worker.ts'
import { startWorker } from './worker.ts'

// Buffer → https drains, alone: the lines are in Redis before the drains are added, each of which
// begins with all of them, at 500 lines a batch.

const apps = 20
const bodyBytes = 150
const warmUpLines = 1_500_000
const lines = 3_000_000

export function httpsDrainBenches(engines: BenchEngines, profile: string | undefined): Bench[] {
  const name = `https drain ${bodyBytes} B 500 a batch`
  return [{ name, contenders: { plexus: () => drainOnce(engines, profile) } }]
}

async function drainOnce(engines: BenchEngines, profile: string | undefined): Promise<Figures> {
  const plexer = await startPlexer(engines, { profile })
  const sink = await startHttpsSink(engines.tlsPem)
  const load = startWorker<TcpLoad, { lines: number }>('tcp-load-worker.ts')
  try {
    const drainNew = async (lineCount: number) => {
      const made = await makeApps(plexer, { apps })
      const tokens = made.map(({ token }) => token)
      const { syslogPort: port } = plexer
      const sent = await load.ask({
        ...{ port, connections: 4, tokens, bodyBytes, lines: lineCount, pace: saturated },
      })
      return async () => {
        await sink.reset()
        for (const { appId } of made)
          await plexer.rpc.createDrain({
            ...{ appId, url: `https://127.0.0.1:${sink.port}/#insecure` },
            ...{ force: true, backfill: 'all' },
          })
        return { lines: sent.lines, lost: sent.lines - (await sink.await(sent.lines)) }
      }
    }
    await (
      await drainNew(warmUpLines)
    )()
    return await costOf(plexer.measured, await drainNew(lines))
  } finally {
    load.stop()
    sink.stop()
    await plexer.stop()
  }
}
