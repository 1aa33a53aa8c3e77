import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { serveWorker } from './worker.ts'

export type LatencyAsk = {
  url: string
  port: number
  token: string
  bodyBytes: number
  warmUpSeconds: number
  /** Lines a second, and for how long. */
  share: number
  seconds: number
}

const settleMs = 1_000

// Sends lines that hold the time of their sending, reads them from a tail, and answers how many
// milliseconds each was under way.
serveWorker<LatencyAsk, number[]>(async ({ url, port, warmUpSeconds, seconds, ...rest }) => {
  const stop = new AbortController()
  const tail = await fetch(url, { signal: stop.signal })
  const measured: number[] = []
  const reading = readTimes(tail, (milliseconds) => measured.push(milliseconds)).catch(
    () => undefined,
  )
  await sendTimes({ ...rest, port, seconds: warmUpSeconds })
  measured.length = 0
  await sendTimes({ ...rest, port, seconds })
  stop.abort()
  await reading
  return measured
})

async function readTimes(tail: Response, take: (milliseconds: number) => void): Promise<void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of tail.body ?? []) {
    const nowMs = performance.now()
    const text = rest + decoder.decode(bytes, { stream: true })
    const whole = text.lastIndexOf('\n') + 1
    for (const [, sentMs] of text.slice(0, whole).matchAll(/ t=([\d.]+);/g))
      take(nowMs - Number(sentMs))
    rest = text.slice(whole)
  }
}

async function sendTimes(load: Omit<LatencyAsk, 'url' | 'warmUpSeconds'>): Promise<void> {
  const { port, token, bodyBytes, share, seconds } = load
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  const startedMs = performance.now()
  for (let sent = 0; sent < share * seconds; sent++) {
    const waitMs = startedMs + (sent * 1_000) / share - performance.now()
    if (waitMs >= 1) await delay(waitMs)
    const text = `<190>1 - host ${token} web.1 - - t=${performance.now()};`.padEnd(bodyBytes, 'x')
    socket.write(`${text.length} ${text}`)
  }
  await delay(settleMs)
  socket.destroy()
}
