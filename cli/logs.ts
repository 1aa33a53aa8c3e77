import { parseArgs } from 'node:util'
import { readAccess } from './access.ts'
import { UsageError, type Command } from './command.ts'
import { streamLogs } from '../client/log-stream.ts'

const linesFallback = 100
const linesMax = 1_500

export const logs: Command = {
  usage: 'logs -a APP',
  summary: "Shows an app's log, over WebSocket",
  help: `  -a, --app APP     the app
  -t, --tail        go on with new lines; a lost connection is taken up where it ended
  -n, --num N       how many of the newest lines first (${linesFallback}; at most ${linesMax})
  -s, --source S    only lines of this source (app, heroku)
  -d, --dyno D      only lines of this dyno (web.1) or type (web)`,
  run: async (args, env) => {
    const { values } = parseArgs({
      args,
      options: {
        app: { type: 'string', short: 'a' },
        tail: { type: 'boolean', short: 't', default: false },
        num: { type: 'string', short: 'n', default: String(linesFallback) },
        source: { type: 'string', short: 's' },
        dyno: { type: 'string', short: 'd' },
      },
    })
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
      onRetry: (why) => process.stderr.write(`plexus: connection lost (${why}), trying again\n`),
    })
    return 0
  },
}
