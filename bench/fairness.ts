import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { newId, type AccountId } from '#lib/ids.ts'
import type { BenchEngines } from './engines.ts'
import { makeApps, startPlexer, type BenchApp, type Plexer } from './plexer.ts'
import type { TcpLoad } from './tcp-load-worker.ts'
import { startWorker } from './worker.ts'

// What a quiet app's reader notices of a loud one: milliseconds from line in (TCP) to line out on a
// tail, while every app sends its share, and while one of them sends ten times as much.

export type FairnessCase = { apps: number; share: number; seconds: number }

/** Milliseconds. */
export type FairnessResult = { p50: number; p99: number }

const louder = 10
const bodyBytes = 150
const warmUpSeconds = 2
const settleMs = 1_000

export async function fairnessOnce(
  engines: BenchEngines,
  { apps, share, seconds }: FairnessCase,
  isOneLoud: boolean,
): Promise<FairnessResult> {
  const plexer = await startPlexer(engines)
  try {
    const [quiet, loud, ...others] = await makeApps(plexer, { apps })
    if (!quiet || !loud) throw new Error('too few apps')
    const all = warmUpSeconds + seconds
    const loads = [
      load(plexer, others, share * others.length * all, share * others.length),
      load(
        plexer,
        [loud],
        share * all * (isOneLoud ? louder : 1),
        share * (isOneLoud ? louder : 1),
      ),
    ]
    const latencies = await measureTail(plexer, quiet, share, seconds)
    await Promise.all(loads)
    const sorted = latencies.toSorted((a, b) => a - b)
    const at = (part: number): number => sorted[Math.floor(part * (sorted.length - 1))] ?? NaN
    return { p50: at(0.5), p99: at(0.99) }
  } finally {
    await plexer.stop()
  }
}

async function load(
  { syslogPort: port }: Plexer,
  apps: BenchApp[],
  lines: number,
  pace: number,
): Promise<void> {
  if (apps.length === 0) return
  const worker = startWorker<TcpLoad, { lines: number }>('tcp-load-worker.ts')
  await worker.ask({
    ...{ port, connections: 1, tokens: apps.map(({ token }) => token), bodyBytes, lines, pace },
  })
  worker.stop()
}

/** Sends the quiet app's share, each line with its time, and reads it from a tail of that app. */
async function measureTail(
  { rpc, syslogPort, logsUrl }: Plexer,
  { appId, token }: BenchApp,
  share: number,
  seconds: number,
): Promise<number[]> {
  const accountId = newId<AccountId>()
  const { id } = await rpc.createSession({ appId, accountId, lines: 0, tail: true })
  const stop = new AbortController()
  const answer = await fetch(`${logsUrl}/sessions/${id}`, { signal: stop.signal })
  const latencies: number[] = []
  const reading = (async () => {
    const decoder = new TextDecoder()
    for await (const bytes of answer.body ?? []) {
      const nowMs = performance.now()
      for (const [, sentMs] of decoder.decode(bytes, { stream: true }).matchAll(/ t=([\d.]+);/g))
        latencies.push(nowMs - Number(sentMs))
    }
  })().catch(() => undefined)
  const socket = connect({ port: syslogPort, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  await delay(warmUpSeconds * 1_000)
  const startedMs = performance.now()
  for (let sent = 0; sent < share * seconds; sent++) {
    const waitMs = startedMs + (sent * 1_000) / share - performance.now()
    if (waitMs >= 1) await delay(waitMs)
    const text = `<190>1 - host ${token} web.1 - - t=${performance.now()};`.padEnd(bodyBytes, 'x')
    socket.write(`${text.length} ${text}`)
  }
  await delay(settleMs)
  socket.destroy()
  stop.abort()
  await reading
  return latencies
}
