import type { Bench, Figures } from './bench.ts'
import { costOf } from './cost.ts'
import type { BenchEngines } from './engines.ts'
import type { HttpLoad } from './http-load-worker.ts'
import { makeApps, startPlexer } from './plexer.ts'
import { startHttpsSink } from './sinks.ts'
import { startWorker } from './worker.ts'

// POST /logs → buffer, and → https drains: so many lines a post, from 100 apps.

const cases = [
  { linesPerPost: 1, lines: 50_000 },
  { linesPerPost: 10, lines: 300_000 },
  { linesPerPost: 100, lines: 2_000_000 },
  { linesPerPost: 500, lines: 3_000_000 },
]

const apps = 100
const connections = 8
const bodyBytes = 150
/** What is compiled once is no part of what a line costs, and takes as long as this. */
const warmUpShare = 1

type HttpCase = (typeof cases)[number] & { drained: boolean }

export function httpBenches(engines: BenchEngines, profile: string | undefined): Bench[] {
  return [false, true].flatMap((drained) =>
    cases.map((wanted) => ({
      name: `http ${bodyBytes} B ${wanted.linesPerPost} a post${drained ? ' https drains' : ''}`,
      contenders: { plexus: () => postOnce(engines, { ...wanted, drained }, profile) },
    })),
  )
}

async function postOnce(
  engines: BenchEngines,
  { linesPerPost, lines, drained }: HttpCase,
  profile: string | undefined,
): Promise<Figures> {
  const plexer = await startPlexer(engines, { profile })
  const sink = await startHttpsSink(engines.tlsPem)
  const load = startWorker<HttpLoad, { lines: number }>('http-load-worker.ts')
  try {
    const drain = drained && { drainUrl: `https://127.0.0.1:${sink.port}/#insecure` }
    const made = await makeApps(plexer, { apps, ...drain })
    const carry = async (lineCount: number) => {
      await sink.reset()
      const sent = await load.ask({
        ...{ url: plexer.logsUrl, connections, bodyBytes, linesPerPost, lines: lineCount },
        tokens: made.map(({ token }) => token),
      })
      // Each post was answered when its lines were in the buffer.
      const arrived = drained ? await sink.await(sent.lines) : sent.lines
      return { lines: sent.lines, lost: sent.lines - arrived }
    }
    await carry(lines * warmUpShare)
    return await costOf(plexer.measured, () => carry(lines))
  } finally {
    load.stop()
    sink.stop()
    await plexer.stop()
  }
}
