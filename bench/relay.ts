import type { Bench, Figures } from './bench.ts'
import { costOf, type Measured } from './cost.ts'
import type { BenchEngines } from './engines.ts'
import { blockOf, drainedBytes, saturated } from './frames.ts'
import { makeApps, startPlexer } from './plexer.ts'
import { hasRsyslog, startRsyslog } from './rsyslog.ts'
import { startSyslogSink, type Sink } from './sinks.ts'
import type { TcpLoad } from './tcp-load-worker.ts'
import { startWorker } from './worker.ts'

// TCP in → buffer → syslog drains, against rsyslog that relays the same.

type RelayCase = { bodyBytes: number; apps: number; lines: number; pace: number }

const connections = 4
/** What is compiled and grown once is no part of what a line costs, and takes as long as this. */
const warmUpLines = 500_000
const warmUpSeconds = 20
const rsyslogPort = 28_900

const cases: RelayCase[] = [
  { bodyBytes: 150, apps: 100, lines: 2_000_000, pace: saturated },
  { bodyBytes: 500, apps: 100, lines: 2_000_000, pace: saturated },
  { bodyBytes: 150, apps: 1, lines: 1_000_000, pace: saturated },
  { bodyBytes: 150, apps: 1_000, lines: 2_000_000, pace: saturated },
  { bodyBytes: 150, apps: 100, lines: 1_000_000, pace: 50_000 },
  { bodyBytes: 150, apps: 100, lines: 200_000, pace: 10_000 },
  { bodyBytes: 150, apps: 100, lines: 20_000, pace: 1_000 },
]

export function relayBenches(engines: BenchEngines, profile: string | undefined): Bench[] {
  return cases.map((wanted) => ({
    name: nameOf(wanted),
    contenders: {
      plexus: () => withSink((sink) => relayThroughPlexus(engines, sink, wanted, profile)),
      ...(hasRsyslog() && { rsyslog: () => withSink((sink) => relayThroughRsyslog(sink, wanted)) }),
    },
    ratios: ['CPU s/M', 'lines/s'],
  }))
}

function nameOf({ bodyBytes, apps, pace }: RelayCase): string {
  const howFast = pace === saturated ? 'saturated' : `${pace}/s`
  return `relay ${bodyBytes} B ${apps} ${apps === 1 ? 'app' : 'apps'} ${howFast}`
}

async function withSink(run: (sink: Sink) => Promise<Figures>): Promise<Figures> {
  const sink = await startSyslogSink()
  try {
    return await run(sink)
  } finally {
    sink.stop()
  }
}

async function relayThroughPlexus(
  engines: BenchEngines,
  sink: Sink,
  wanted: RelayCase,
  profile: string | undefined,
): Promise<Figures> {
  const plexer = await startPlexer(engines, { profile })
  try {
    const drainUrl = `syslog://127.0.0.1:${sink.port}`
    const made = await makeApps(plexer, { apps: wanted.apps, drainUrl })
    const tokens = made.map(({ token }) => token)
    return await measure(sink, wanted, {
      ...{ port: plexer.syslogPort, tokens, ...plexer.measured },
      lineBytes: drainedBytes(wanted.bodyBytes, tokens[0] ?? ''),
    })
  } finally {
    await plexer.stop()
  }
}

async function relayThroughRsyslog(sink: Sink, wanted: RelayCase): Promise<Figures> {
  const rsyslog = await startRsyslog(rsyslogPort, sink.port)
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
  to: Measured & { port: number; tokens: string[]; lineBytes: number },
): Promise<Figures> {
  const load = startWorker<TcpLoad, { lines: number }>('tcp-load-worker.ts')
  const { port, tokens, lineBytes } = to
  const carry = async (share: { lines: number; pace: number }) => {
    await sink.reset()
    const sent = await load.ask({ port, connections, tokens, bodyBytes, ...share })
    const arrived = await sink.await(sent.lines * lineBytes)
    return { lines: sent.lines, lost: Math.round(sent.lines - arrived / lineBytes) }
  }
  try {
    const warmUp = pace === saturated ? warmUpLines : pace * warmUpSeconds
    await carry({ lines: warmUp, pace })
    return await costOf(to, () => carry({ lines, pace }))
  } finally {
    load.stop()
  }
}
