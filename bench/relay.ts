import { setTimeout as delay } from 'node:timers/promises'
import type { BenchEngines } from './engines.ts'
import { blockOf, drainedBytes } from './frames.ts'
import { makeApps, startPlexer } from './plexer.ts'
import { cpuSeconds, residentMb } from './proc.ts'
import { startRsyslog } from './rsyslog.ts'
import type { SinkAsk } from './sink-worker.ts'
import type { TcpLoad } from './tcp-load-worker.ts'
import { startWorker, type Worker } from './worker.ts'

// TCP in → buffer → syslog drains, against rsyslog that relays the same.

export type RelayCase = { bodyBytes: number; apps: number; lines: number; pace: number }

export type RelayResult = {
  linesPerSecond: number
  cpuPerMillion: number
  /** Of that, logplex alone; the rest is Redis and NATS. */
  ownCpuPerMillion: number
  residentMb: number
  lost: number
}

const connections = 4
/** Without a further byte for so long, the rest is lost. */
const stalledMs = 15_000
const pollMs = 10
/** What is written down behind a delivery is counted as well. */
const settleMs = 1_500
const warmUpSeconds = 3
const rsyslogPort = 28_900

type Sink = Worker<SinkAsk, number>

export async function relayOnce(
  engines: BenchEngines,
  contender: 'plexus' | 'rsyslog',
  wanted: RelayCase,
  profile?: string,
): Promise<RelayResult> {
  const sink: Sink = startWorker('sink-worker.ts')
  const sinkPort = await sink.ask({ ask: 'port' })
  try {
    return contender === 'plexus'
      ? await relayThroughPlexus(engines, { sink, sinkPort, wanted, profile })
      : await relayThroughRsyslog({ sink, sinkPort, wanted })
  } finally {
    sink.stop()
  }
}

async function relayThroughPlexus(
  engines: BenchEngines,
  run: { sink: Sink; sinkPort: number; wanted: RelayCase; profile: string | undefined },
): Promise<RelayResult> {
  const { sink, sinkPort, wanted, profile } = run
  const plexer = await startPlexer(engines, profile)
  try {
    const { apps } = wanted
    const made = await makeApps(plexer, { apps, drainUrl: `syslog://127.0.0.1:${sinkPort}` })
    const tokens = made.map(({ token }) => token)
    const result = await measure(sink, wanted, {
      ...{ port: plexer.syslogPort, tokens, pids: plexer.pids(), ownPid: plexer.logplexPid },
      lineBytes: drainedBytes(wanted.bodyBytes, tokens[0] ?? ''),
    })
    return result
  } finally {
    await plexer.stop()
  }
}

async function relayThroughRsyslog(run: {
  sink: Sink
  sinkPort: number
  wanted: RelayCase
}): Promise<RelayResult> {
  const { sink, sinkPort, wanted } = run
  const rsyslog = await startRsyslog(rsyslogPort, sinkPort)
  try {
    const tokens = Array.from({ length: wanted.apps }, () => `t.${crypto.randomUUID()}`)
    // It passes on what it was given, and a newline behind.
    const { bytes, lines } = blockOf(tokens, wanted.bodyBytes)
    return await measure(sink, wanted, {
      ...{ port: rsyslog.port, tokens, pids: [rsyslog.pid], ownPid: rsyslog.pid },
      lineBytes: bytes.length / lines + 1,
    })
  } finally {
    await rsyslog.stop()
  }
}

async function measure(
  sink: Sink,
  { bodyBytes, lines, pace }: RelayCase,
  to: { port: number; tokens: string[]; pids: number[]; ownPid: number; lineBytes: number },
): Promise<RelayResult> {
  const load = startWorker<TcpLoad, { lines: number; seconds: number }>('tcp-load-worker.ts')
  const { port, tokens } = to
  // What is compiled and grown once is no part of what a line costs.
  const warm = await load.ask({
    ...{ port, connections, tokens, bodyBytes, pace },
    lines: Math.round(pace > 0 ? pace * warmUpSeconds : lines / 4),
  })
  await awaitBytes(sink, warm.lines * to.lineBytes)
  await delay(settleMs)
  await sink.ask({ ask: 'reset' })
  const before = { all: cpuSeconds(to.pids), own: cpuSeconds([to.ownPid]) }
  const startedMs = performance.now()
  const sent = await load.ask({ port, connections, tokens, bodyBytes, lines, pace })
  const arrived = await awaitBytes(sink, sent.lines * to.lineBytes)
  const seconds = (arrived.atMs - startedMs) / 1000
  await delay(settleMs)
  load.stop()
  const cpu = cpuSeconds(to.pids) - before.all
  const own = cpuSeconds([to.ownPid]) - before.own
  return {
    linesPerSecond: sent.lines / seconds,
    cpuPerMillion: (cpu / sent.lines) * 1e6,
    ownCpuPerMillion: (own / sent.lines) * 1e6,
    residentMb: residentMb(to.pids),
    lost: Math.round(sent.lines - arrived.bytes / to.lineBytes),
  }
}

/** Waits for so many bytes; fewer when no more come, more when something was said besides. */
async function awaitBytes(sink: Sink, wanted: number): Promise<{ bytes: number; atMs: number }> {
  let last = { bytes: 0, atMs: performance.now() }
  for (;;) {
    const bytes = await sink.ask({ ask: 'bytes' })
    const atMs = performance.now()
    if (bytes > last.bytes) last = { bytes, atMs }
    if (bytes >= wanted || atMs - last.atMs > stalledMs) return last
    await delay(pollMs)
  }
}
