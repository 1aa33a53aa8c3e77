import { readAccess } from './access.ts'
import { defineCommand, UsageError } from './command.ts'
import { streamLogs } from '../client/log-stream.ts'

const linesFallback = 100
const linesMax = 1_500

export const logs = defineCommand({
  usage: 'logs -a APP',
  summary: "Shows an app's log, over WebSocket",
  help: `  -a, --app APP     the app
  -t, --tail        go on with new lines; a lost connection is taken up where it ended
  -n, --num N       how many of the newest lines first (${linesFallback}; at most ${linesMax})
  -s, --source S    only lines of this source (app, heroku)
  -d, --dyno D      only lines of this dyno (web.1) or type (web)`,
  options: {
    app: { type: 'string', short: 'a' },
    tail: { type: 'boolean', short: 't', default: false },
    num: { type: 'string', short: 'n', default: String(linesFallback) },
    source: { type: 'string', short: 's' },
    dyno: { type: 'string', short: 'd' },
  },
  run: async ({ values, env }) => {
    const { app, num, tail, source, dyno } = values
    if (!app) throw new UsageError('Which app? Add -a APP.')
    if (!/^\d+$/.test(num) || Number(num) > linesMax)
      throw new UsageError(`-n must be from 0 to ${linesMax}.`)
    const interrupted = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => interrupted.abort())
    process.stdout.on('error', () => interrupted.abort())
    await streamLogs({
      ...(await readAccess(env)),
      app,
      lines: Number(num),
      tail,
      ...(source && { source }),
      ...(dyno && { dyno }),
      signal: interrupted.signal,
      onLine: (line) => process.stdout.write(`${line}\n`),
      ...connectionNotes((text) => process.stderr.write(`plexus: ${text}\n`)),
    })
    return 0
  },
})

/** Tells once that the connection is lost, however often it is tried, and once that it is back. */
function connectionNotes(say: (text: string) => void): {
  onRetry: (why: string) => void
  onConnected: () => void
} {
  let lost = false
  return {
    onRetry: (why) => {
      if (!lost) say(`connection lost (${why}), trying again until it is back …`)
      lost = true
    },
    onConnected: () => {
      if (lost) say('connected again')
      lost = false
    },
  }
}
