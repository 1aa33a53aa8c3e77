import { newId, type AccountId } from '#lib/ids.ts'
import type { Bench, Figures } from './bench.ts'
import type { BenchEngines } from './engines.ts'
import type { LatencyAsk } from './latency-worker.ts'
import { makeApps, startPlexer, type BenchApp, type Plexer } from './plexer.ts'
import { percentile } from './stats.ts'
import type { TcpLoad } from './tcp-load-worker.ts'
import { startWorker } from './worker.ts'

// Milliseconds from line in (TCP) to line out on a tail of one app, while each app sends its share
// of lines a second, and while one of the others sends ten times as much.

type LatencyCase = { apps: number; share: number; seconds: number }

const louder = 10
const bodyBytes = 150
const warmUpSeconds = 3

export function latencyBenches(engines: BenchEngines): Bench[] {
  const of = (wanted: LatencyCase, isOneLoud: boolean) => () =>
    latencyOnce(engines, wanted, isOneLoud)
  const many = { apps: 100, share: 10, seconds: 20 }
  const few = [
    { apps: 2, share: 1_000, seconds: 5 },
    { apps: 10, share: 200, seconds: 5 },
  ]
  return [
    { name: 'latency 1000/s of 100 apps', contenders: { plexus: of(many, false) } },
    ...few.map((wanted) => ({
      name: `fairness ${wanted.apps} apps ${wanted.share}/s each`,
      contenders: { 'one loud': of(wanted, true), 'all alike': of(wanted, false) },
      ratios: ['p99 ms'],
    })),
  ]
}

async function latencyOnce(
  engines: BenchEngines,
  { apps, share, seconds }: LatencyCase,
  isOneLoud: boolean,
): Promise<Figures> {
  const plexer = await startPlexer(engines)
  try {
    const [quiet, loud, ...others] = await makeApps(plexer, { apps })
    if (!quiet || !loud) throw new Error('too few apps')
    const all = seconds + warmUpSeconds
    const loads = [
      sendShares(plexer, others, share * others.length, all),
      sendShares(plexer, [loud], share * (isOneLoud ? louder : 1), all),
    ]
    const milliseconds = await followQuiet(plexer, quiet, { share, seconds })
    await Promise.all(loads)
    return {
      'p50 ms': percentile(milliseconds, 0.5),
      'p99 ms': percentile(milliseconds, 0.99),
      lost: share * seconds - milliseconds.length,
    }
  } finally {
    await plexer.stop()
  }
}

/** Lines a second of these apps together. */
async function sendShares(
  { syslogPort: port }: Plexer,
  apps: BenchApp[],
  pace: number,
  seconds: number,
): Promise<void> {
  if (apps.length === 0) return
  const worker = startWorker<TcpLoad, { lines: number }>('tcp-load-worker.ts')
  const tokens = apps.map(({ token }) => token)
  await worker.ask({ port, connections: 1, tokens, bodyBytes, lines: pace * seconds, pace })
  worker.stop()
}

/** Sends and reads in one process, whose clock is one. */
async function followQuiet(
  { rpc, syslogPort: port, logsUrl }: Plexer,
  { appId, token }: BenchApp,
  pace: { share: number; seconds: number },
): Promise<number[]> {
  const accountId = newId<AccountId>()
  const { id } = await rpc.createSession({ appId, accountId, lines: 0, tail: true })
  const worker = startWorker<LatencyAsk, number[]>('latency-worker.ts')
  const url = `${logsUrl}/sessions/${id}`
  const milliseconds = await worker.ask({ url, port, token, bodyBytes, warmUpSeconds, ...pace })
  worker.stop()
  return milliseconds
}
