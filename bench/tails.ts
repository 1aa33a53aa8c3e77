import { newId, type AccountId } from '#lib/ids.ts'
import type { Bench, Figures } from './bench.ts'
import { costOf } from './cost.ts'
import type { BenchEngines } from './engines.ts'
import { makeApps, startPlexer } from './plexer.ts'
import type { TailsAsk } from './tails-worker.ts'
import type { TcpLoad } from './tcp-load-worker.ts'
import { startWorker } from './worker.ts'

// TCP in → buffer → tails of one app over SSE: CPU per million lines that tails have shown.

const cases = [
  { tails: 1, pace: 50_000, lines: 500_000 },
  { tails: 10, pace: 20_000, lines: 200_000 },
  { tails: 100, pace: 10_000, lines: 100_000 },
]

const bodyBytes = 150
/** As of relays at a pace: what is compiled once is no part of what a line costs. */
const warmUpSeconds = 20

export function tailBenches(engines: BenchEngines, profile: string | undefined): Bench[] {
  return cases.map((wanted) => ({
    name: `tails ${wanted.tails} of one app ${wanted.pace}/s`,
    contenders: { plexus: () => tailOnce(engines, wanted, profile) },
  }))
}

async function tailOnce(
  engines: BenchEngines,
  { tails, pace, lines }: (typeof cases)[number],
  profile: string | undefined,
): Promise<Figures> {
  const plexer = await startPlexer(engines, { profile })
  const readers = startWorker<TailsAsk, number>('tails-worker.ts')
  const load = startWorker<TcpLoad, { lines: number }>('tcp-load-worker.ts')
  try {
    const [app] = await makeApps(plexer, { apps: 1 })
    if (!app) throw new Error('there is no app')
    const accountId = newId<AccountId>()
    const { id } = await plexer.rpc.createSession({ appId: app.appId, accountId, tail: true })
    await readers.ask({ ask: 'open', url: `${plexer.logsUrl}/sessions/${id}`, tails })
    const carry = async (lineCount: number) => {
      await readers.ask({ ask: 'reset' })
      const { lines: sent } = await load.ask({
        ...{ port: plexer.syslogPort, connections: 4, tokens: [app.token] },
        ...{ bodyBytes, lines: lineCount, pace },
      })
      const shown = await readers.ask({ ask: 'await', lines: sent * tails })
      return { lines: sent * tails, lost: sent * tails - shown }
    }
    await carry(pace * warmUpSeconds)
    return await costOf(plexer.measured, () => carry(lines))
  } finally {
    load.stop()
    readers.stop()
    await plexer.stop()
  }
}
