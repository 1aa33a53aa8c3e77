import { appOption, openApp } from './app-option.ts'
import { defineCommand, UsageError } from './command.ts'

type Drain = { id: string; token: string; url: string; addon: { name: string } | null }
type DrainWithState = Drain & { state: DrainState | null }
type TelemetryDrainWithState = {
  id: string
  exporter: { endpoint: string }
  state: DrainState | null
}
type DrainState = {
  delivered: number
  replayed: number
  pending: number
  dropped: { overflowed: number; refused: number; filtered: number }
  lag: { lines: number; seconds: number | null }
  last_answer: { text: string; at: string } | null
}
type DrainReplay = { from_line: number; lines: number }
type DrainTest = {
  passed: boolean
  steps: { name: string; result: string; detail: string }[]
  advice: string | null
}

const several = { type: 'string', multiple: true } as const

export const drains = defineCommand({
  usage: 'drains -a APP',
  summary: 'Lists the drains of an app, telemetry drains too, and how they are doing',
  help: `  -a, --app APP   the app
      --json      the API's answers as they are, in one list

DELIVERED, PENDING and DROPPED are lines since the drain was added: dropped because the log had to
let them go before the receiver took them (late), because it refused them, or because the drain's
options leave them out (filtered). Lines that are replayed count again. LAG is the age of the oldest
pending line.`,
  options: { ...appOption, json: { type: 'boolean', default: false } },
  run: async ({ values, env }) => {
    const { api, path } = await openApp(values.app, env)
    const headers = { 'accept-inclusion': 'state' }
    const [logs, telemetry] = await Promise.all([
      api<DrainWithState[]>('GET', `${path}/log-drains`, { headers }),
      api<TelemetryDrainWithState[]>('GET', `${path}/telemetry-drains`, { headers }),
    ])
    const all = [...logs, ...telemetry]
    process.stdout.write(
      values.json ? `${JSON.stringify(all, null, 2)}\n` : tables(logs, telemetry),
    )
    return 0
  },
})

const stateHeads = ['DELIVERED', 'PENDING', 'DROPPED', 'LAG', 'LAST ANSWER']

/** A drain of either kind: what it is called, and what receivers or commands know it by. */
type Row = { name: string; id: string; state: DrainState | null }

function tables(logs: DrainWithState[], telemetry: TelemetryDrainWithState[]): string {
  const ofLogs = logs.map(({ url, token, addon, state }) => ({
    ...{ name: addon?.name ?? url, id: token, state },
  }))
  const ofTelemetry = telemetry.map(({ id, exporter, state }) => ({
    ...{ name: exporter.endpoint, id, state },
  }))
  const shown = [
    logs.length > 0 && table(['DRAIN', 'TOKEN'], ofLogs),
    telemetry.length > 0 && table(['TELEMETRY DRAIN', 'ID'], ofTelemetry),
  ].filter((text) => text !== false)
  if (shown.length > 0) return shown.join('\n')
  return 'The app has no drains. Add one: plexus drains add URL -a APP\n'
}

function table(names: string[], drains: Row[]): string {
  const heads = [...names, ...stateHeads]
  const rows = [heads, ...drains.map(cellsOf)]
  const widths = heads.map((_, at) => Math.max(...rows.map((cells) => cells[at]?.length ?? 0)))
  const line = (cells: string[]): string =>
    cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd()
  return `${rows.map(line).join('\n')}\n`
}

function cellsOf({ name, id, state }: Row): string[] {
  if (!state) return [name, id, '?', '?', '?', '?', 'not known now: try again']
  const { delivered, replayed, pending, dropped, lag, last_answer: answer } = state
  const { overflowed, refused, filtered } = dropped
  const why = [
    overflowed > 0 && `${overflowed} late`,
    refused > 0 && `${refused} refused`,
    filtered > 0 && `${filtered} filtered`,
  ]
  const lost = why.filter((part) => part !== false).join(', ') || '0'
  const said = answer ? `${answer.text} (${answer.at})` : 'none yet'
  const late = lag.seconds === null ? '?' : `${lag.seconds} s`
  const twice = replayed > 0 ? ` (${replayed} replayed)` : ''
  return [name, id, `${delivered}${twice}`, String(pending), lost, late, said]
}

export const drainsAdd = defineCommand({
  usage: 'drains add URL -a APP',
  summary: 'Adds a log drain to an app, when its receiver has taken a test line',
  help: `  -a, --app APP   the app
  -f, --force     without the test: the receiver is not there yet
      --format F  how lines look: logplex (as Heroku's), rfc5424, json or otlp
      --source S  only lines of this source: app, heroku …
      --type T    only lines of this process type (web) or process (web.1)
      --text T    only lines whose message holds this
      --exclude-source S, --exclude-type T, --exclude-text T
                  none of these
      --sample X  this share of those lines: more than 0, at most 1
      --backfill all|N
                  also what the buffer holds, or the newest N lines of it
      --json      the API's answer as it is

URL is https://…, http://…, syslog+tls://host[:6514], syslog://host[:601] or
udpsyslog://host[:514]. Certificates are verified unless it ends in #insecure. The options become
part of it: 'https://…#format=json&source=app'. Those that name lines may be given several times.`,
  options: {
    ...appOption,
    force: { type: 'boolean', short: 'f', default: false },
    format: { type: 'string' },
    ...{ source: several, type: several, text: several },
    ...{ 'exclude-source': several, 'exclude-type': several, 'exclude-text': several },
    sample: { type: 'string' },
    backfill: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
  argumentNames: ['URL'],
  run: async ({ values, positionals: [url = ''], env }) => {
    const { app, force, json, backfill } = values
    const options = optionsOf(values)
    const { api, path } = await openApp(app, env)
    const drain = await api<Drain>('POST', `${path}/log-drains`, { body: { url, force, options } })
    // It may also stand behind the url's #.
    const isFilled = backfill !== undefined || /[#&]backfill=/.test(url)
    const from = isFilled ? 'from now on, and those of the backfill' : 'from now on'
    const said = `${drain.url} (${drain.token}) has the lines of ${app} ${from}.`
    process.stdout.write(`${json ? JSON.stringify(drain, null, 2) : said}\n`)
    return 0
  },
})

/** The options of a drain as the API takes them. */
function optionsOf(values: {
  format?: string
  source?: string[]
  type?: string[]
  text?: string[]
  'exclude-source'?: string[]
  'exclude-type'?: string[]
  'exclude-text'?: string[]
  sample?: string
  backfill?: string
}): Record<string, unknown> {
  const { format, source, type, text, sample, backfill } = values
  if (sample !== undefined && !Number.isFinite(Number(sample || NaN)))
    throw new UsageError('--sample must be a number: --sample 0.1')
  if (backfill !== undefined && !/^(all|[1-9]\d*)$/.test(backfill))
    throw new UsageError('--backfill must be "all" or a number of lines: --backfill 500')
  return {
    ...{ format, source, type, text },
    exclude_source: values['exclude-source'],
    exclude_type: values['exclude-type'],
    exclude_text: values['exclude-text'],
    ...(sample !== undefined && { sample: Number(sample) }),
    ...(backfill !== undefined && { backfill: backfill === 'all' ? backfill : Number(backfill) }),
  }
}

export const drainsReplay = defineCommand({
  usage: 'drains replay DRAIN -a APP',
  summary: 'Sends a log drain lines once more, from a time or a number on',
  help: `  -a, --app APP   the app
      --since T   from the first line of that time on: RFC 3339, or how long ago: 30s, 10m, 2h, 7d
      --from-line N
                  from the line of that number on
      --json      the API's answer as it is

DRAIN is the id, the token or the url (with its options) of one of the app's drains, or the id of one
of its telemetry drains. Its receiver gets what the buffer still holds of those lines once more, but
for what its options leave out, and then what is new.`,
  options: {
    ...appOption,
    since: { type: 'string' },
    'from-line': { type: 'string' },
    json: { type: 'boolean', default: false },
  },
  argumentNames: ['DRAIN'],
  run: async ({ values, positionals: [drain = ''], env }) => {
    const { app, since, 'from-line': line, json } = values
    if (since !== undefined && line !== undefined)
      throw new UsageError('Give --since or --from-line, not both.')
    if (since === undefined && line === undefined)
      throw new UsageError('From where? Give --since T or --from-line N.')
    if (line !== undefined && !/^[1-9]\d{0,14}$/.test(line))
      throw new UsageError('--from-line must be the number of a line, from 1 on.')
    const { api, path } = await openApp(app, env)
    const body = line === undefined ? { since } : { from_line: Number(line) }
    const to = `${path}/log-drains/${encodeURIComponent(drain)}/actions/replay`
    const done = await api<DrainReplay>('POST', to, { body })
    process.stdout.write(json ? `${JSON.stringify(done, null, 2)}\n` : explainReplay(done, line))
    return 0
  },
})

/** @param wished the number of the line that was asked for, if one was */
function explainReplay(
  { from_line: from, lines }: DrainReplay,
  wished: string | undefined,
): string {
  if (lines === 0) return `Nothing to send again: the drain goes on with line ${from}.\n`
  const why = from > Number(wished ?? from) ? ', the oldest that is kept' : ''
  const what = lines === 1 ? '1 line' : `${lines} lines`
  return `The drain goes through ${what} again, from number ${from} on${why}.\n`
}

export const drainsTest = defineCommand({
  usage: 'drains test DRAIN -a APP',
  summary: 'Tests the way to the receiver of a log drain, step by step',
  help: `  -a, --app APP   the app
      --json      the API's answer as it is

DRAIN is the id, the token or the url of one of the app's drains, the id of one of its telemetry
drains, or a url that may become one.
The receiver gets one line of heroku[logplex]. Ends with 1 when a step failed.`,
  options: { ...appOption, json: { type: 'boolean', default: false } },
  argumentNames: ['DRAIN'],
  run: async ({ values, positionals: [drain = ''], env }) => {
    const { api, path } = await openApp(values.app, env)
    const done = await api<DrainTest>('POST', `${path}/log-drains/actions/test`, {
      body: { drain },
    })
    process.stdout.write(values.json ? `${JSON.stringify(done, null, 2)}\n` : explain(done))
    return done.passed ? 0 : 1
  },
})

function explain({ steps, advice }: DrainTest): string {
  const width = Math.max(...steps.map(({ name }) => name.length))
  const lines = steps.map(
    ({ name, result, detail }) => `${name.padEnd(width)}  ${result.padEnd(7)}  ${detail}`,
  )
  return [...lines, ...(advice ? ['', advice] : []), ''].join('\n')
}
