import type { Bench, Figures } from './bench.ts'
import { costOf } from './cost.ts'
import type { BenchEngines } from './engines.ts'
import { drainedBytes, saturated } from './frames.ts'
import { endProcess, makeApps, startLogplex, startPlexer } from './plexer.ts'
import { startSyslogSink } from './sinks.ts'
import type { TcpLoad } from './tcp-load-worker.ts'
import { startWorker } from './worker.ts'

// The relay by two logplex processes that share its drains, against one.

const apps = 100
const bodyBytes = 150
const warmUpLines = 500_000
const lines = 2_000_000
const connectionsOfEach = 2
const secondPorts = { logs: 28_910, syslog: 28_911, syslogTls: 28_912 }

export function processBenches(engines: BenchEngines): Bench[] {
  const contenders = { two: () => relayOnce(engines, true), one: () => relayOnce(engines, false) }
  return [{ name: 'processes 150 B 100 apps', contenders, ratios: ['lines/s', 'CPU s/M'] }]
}

async function relayOnce(engines: BenchEngines, withSecond: boolean): Promise<Figures> {
  const sink = await startSyslogSink()
  const plexer = await startPlexer(engines)
  const second = withSecond ? await startLogplex(engines, { env: secondEnv }) : undefined
  const ports = [plexer.syslogPort, ...(second ? [secondPorts.syslog] : [plexer.syslogPort])]
  const loads = ports.map(() => startWorker<TcpLoad, { lines: number }>('tcp-load-worker.ts'))
  try {
    const drainUrl = `syslog://127.0.0.1:${sink.port}`
    const made = await makeApps(plexer, { apps, drainUrl })
    const tokens = made.map(({ token }) => token)
    const lineBytes = drainedBytes(bodyBytes, tokens[0] ?? '')
    const carry = async (lineCount: number) => {
      await sink.reset()
      const sent = await Promise.all(
        loads.map((load, at) =>
          load.ask({
            ...{ port: ports[at] ?? 0, connections: connectionsOfEach, tokens, bodyBytes },
            ...{ lines: lineCount / loads.length, pace: saturated },
          }),
        ),
      )
      const all = sent.reduce((sum, share) => sum + share.lines, 0)
      const arrived = await sink.await(all * lineBytes)
      return { lines: all, lost: Math.round(all - arrived / lineBytes) }
    }
    await carry(warmUpLines)
    const { pids, ownPid } = plexer.measured
    const measured = { pids: [...pids, ...(second?.pid ? [second.pid] : [])], ownPid }
    return await costOf(measured, () => carry(lines))
  } finally {
    for (const load of loads) load.stop()
    if (second) await endProcess(second)
    await plexer.stop()
    sink.stop()
  }
}

const secondEnv = {
  PLEXUS_LOGS_PORT: String(secondPorts.logs),
  PLEXUS_SYSLOG_PORT: String(secondPorts.syslog),
  PLEXUS_SYSLOG_TLS_PORT: String(secondPorts.syslogTls),
}
