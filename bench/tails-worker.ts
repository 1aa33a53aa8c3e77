import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { serveWorker } from './worker.ts'

export type TailsAsk =
  | { ask: 'open'; url: string; tails: number }
  | { ask: 'reset' }
  | { ask: 'await'; lines: number }

/** Without a further line for so long, the rest is lost. */
const stalledMs = 10_000
const pollMs = 5

// Follows a log session so many times over SSE and counts the lines that it is shown: each has a
// `data` of its own, whose `d` is at the beginning of a line.
let lines = 0
const mark = Buffer.from('\ndata: ')

serveWorker<TailsAsk, number>(async (wanted) => {
  if (wanted.ask === 'reset') lines = 0
  if (wanted.ask === 'await') await awaitLines(wanted.lines)
  if (wanted.ask === 'open')
    await Promise.all(Array.from({ length: wanted.tails }, open(wanted.url)))
  return lines
})

const open = (url: string) => async (): Promise<void> => {
  const request = get(url, { agent: false, headers: { accept: 'text/event-stream' } })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  if (response.statusCode !== 200) throw new Error(`a tail was answered ${response.statusCode}`)
  let rest = Buffer.alloc(0)
  response.on('data', (bytes: Buffer) => {
    // A mark may be cut between two pieces.
    const all = rest.length > 0 ? Buffer.concat([rest, bytes]) : bytes
    let after = 0
    for (let at = all.indexOf(mark); at >= 0; at = all.indexOf(mark, after)) {
      lines++
      after = at + mark.length
    }
    rest = Buffer.from(all.subarray(Math.max(after, all.length - mark.length + 1)))
  })
}

async function awaitLines(wanted: number): Promise<void> {
  let last = { lines, atMs: performance.now() }
  while (lines < wanted && performance.now() - last.atMs < stalledMs) {
    await delay(pollMs)
    if (lines > last.lines) last = { lines, atMs: performance.now() }
  }
}
