import { setTimeout as delay } from 'node:timers/promises'
import { createClient } from 'redis'
import type { Bench, Figures } from './bench.ts'
import type { BenchEngines } from './engines.ts'
import { frameOf } from './frames.ts'
import type { HttpLoad } from './http-load-worker.ts'
import { makeApps, startPlexer, type Plexer } from './plexer.ts'
import { residentMb } from './proc.ts'
import { startSyslogSink } from './sinks.ts'
import type { TcpLoad } from './tcp-load-worker.ts'
import { startWorker } from './worker.ts'
import { serviceEnv } from '../local-platform/service-env.ts'

// What is held: by a logplex for apps of which little is heard, by Redis for buffers that are full.

const quietApps = 10_000
const quietDrains = 1_000
const fullApps = 100
const linesPerApp = 1_500
const bodyBytes = 150
const settleMs = 1_500

export function memoryBenches(engines: BenchEngines): Bench[] {
  return [
    {
      name: `memory ${quietApps} quiet apps ${quietDrains} drains`,
      contenders: { plexus: () => quietOnce(engines) },
    },
    {
      name: `memory of Redis ${fullApps} full buffers busy apps`,
      contenders: { plexus: () => fullOnce(engines, sendBusily) },
    },
    {
      name: `memory of Redis ${fullApps} full buffers a line at a time`,
      contenders: { plexus: () => fullOnce(engines, sendSingly) },
    },
  ]
}

/** A line of each app has come, and those with a drain have got it out. */
async function quietOnce(engines: BenchEngines): Promise<Figures> {
  const plexer = await startPlexer(engines)
  const sink = await startSyslogSink()
  try {
    const drainUrl = `syslog://127.0.0.1:${sink.port}`
    const drained = await makeApps(plexer, { apps: quietDrains, drainUrl })
    const others = await makeApps(plexer, { apps: quietApps - quietDrains })
    const tokens = [...drained, ...others].map(({ token }) => token)
    await sendOverTcp(plexer, tokens, tokens.length)
    await sink.await(quietDrains * bodyBytes)
    return { MB: residentMb([plexer.measured.ownPid]) }
  } finally {
    sink.stop()
    await plexer.stop()
  }
}

type Send = (plexer: Plexer, tokens: string[]) => Promise<void>

async function fullOnce(engines: BenchEngines, send: Send): Promise<Figures> {
  const plexer = await startPlexer(engines)
  const redis = createClient({ url: serviceEnv('logplex', engines)['PLEXUS_REDIS_URL'] ?? '' })
  await redis.connect()
  try {
    const usedBytes = async (): Promise<number> =>
      Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1])
    const made = await makeApps(plexer, { apps: fullApps })
    const tokens = made.map(({ token }) => token)
    const before = await usedBytes()
    await send(plexer, tokens)
    const raw = fullApps * linesPerApp * frameOf(tokens[0] ?? '', bodyBytes).length
    return { 'times the raw bytes': ((await usedBytes()) - before) / raw }
  } finally {
    redis.destroy()
    await plexer.stop()
  }
}

const sendBusily: Send = (plexer, tokens) => sendOverTcp(plexer, tokens, fullApps * linesPerApp)

/** Each line is a post and an entry of its own. */
async function sendSingly({ logsUrl: url }: Plexer, tokens: string[]): Promise<void> {
  const load = startWorker<HttpLoad, { lines: number }>('http-load-worker.ts')
  const lines = fullApps * linesPerApp
  await load.ask({ url, connections: 8, tokens, bodyBytes, linesPerPost: 1, lines })
  load.stop()
}

async function sendOverTcp(plexer: Plexer, tokens: string[], lines: number): Promise<void> {
  const load = startWorker<TcpLoad, { lines: number }>('tcp-load-worker.ts')
  const { syslogPort: port } = plexer
  const pace = 20_000
  await load.ask({ port, connections: 4, tokens, bodyBytes, lines, pace })
  load.stop()
  // What was taken is on its way into the buffers.
  await delay(settleMs)
}
