import { readAccess } from './access.ts'
import { defineCommand, UsageError } from './command.ts'
import { lineRenderer } from './log-lines.ts'
import { streamLogs, type LogFilters } from '../client/log-stream.ts'

const linesFallback = 100
/** Also what --since shows when it is not told how many: its time says that. */
const linesMax = 1_500

export const logs = defineCommand({
  usage: 'logs -a APP',
  summary: "Shows an app's log, over WebSocket",
  help: `  -a, --app APP     the app
  -t, --tail        go on with new lines; a lost connection is taken up where it ended
  -n, --num N       how many of the newest lines first (${linesFallback}; with --since ${linesMax}, which
                    is also the most); lines that are left out do not count
  -s, --source S    only lines of this source (app, heroku)
  -d, --dyno D      only lines of this dyno (web.1) or type (web)
      --match TEXT  only lines whose message holds this text, upper and lower case as it is
      --pattern RE  only lines whose message holds a match of this regular expression (RE2: no
                    backreferences, no look-around; (?i) in front for any case)
      --since T     only lines from then on: a time as 2026-11-21T09:00:00Z, or how long ago
                    (30s, 10m, 2h, 7d)
      --until T     only lines before then; not with --tail
      --json        each line as a JSON object: number, time, source, dyno, message

In a terminal lines have colours by their dyno's type, unless NO_COLOR is set.`,
  options: {
    app: { type: 'string', short: 'a' },
    tail: { type: 'boolean', short: 't', default: false },
    num: { type: 'string', short: 'n' },
    source: { type: 'string', short: 's' },
    dyno: { type: 'string', short: 'd' },
    match: { type: 'string' },
    pattern: { type: 'string' },
    since: { type: 'string' },
    until: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
  run: async ({ values, env }) => {
    const { app, num, tail, json, ...given } = values
    if (!app) throw new UsageError('Which app? Add -a APP.')
    const lines = readLines(num, given.since !== undefined)
    const filters = checkFilters(given)
    if (tail && filters.until) throw new UsageError('--tail goes on with new lines: no --until.')
    const isColoured = process.stdout.isTTY && !env['NO_COLOR']
    const render = lineRenderer(json ? 'json' : isColoured ? 'coloured' : 'plain')
    const interrupted = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => interrupted.abort())
    process.stdout.on('error', () => interrupted.abort())
    await streamLogs({
      ...(await readAccess(env)),
      app,
      lines,
      tail,
      filters,
      signal: interrupted.signal,
      onLine: (line) => process.stdout.write(`${render(line)}\n`),
      ...connectionNotes((text) => process.stderr.write(`plexus: ${text}\n`)),
    })
    return 0
  },
})

function readLines(num: string | undefined, isSince: boolean): number {
  if (num === undefined) return isSince ? linesMax : linesFallback
  if (!/^\d+$/.test(num) || Number(num) > linesMax)
    throw new UsageError(`-n must be from 0 to ${linesMax}.`)
  return Number(num)
}

/** A filter that is given and empty is a script's mistake: it would show everything. */
function checkFilters(filters: LogFilters): LogFilters {
  for (const [name, value] of Object.entries(filters))
    if (value === '') throw new UsageError(`--${name} is empty.`)
  return filters
}

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
