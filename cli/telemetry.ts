import { appOption, openApp } from './app-option.ts'
import { defineCommand, UsageError } from './command.ts'

type TelemetryDrain = { id: string; exporter: { endpoint: string } }

export const telemetryAdd = defineCommand({
  usage: 'telemetry add ENDPOINT -a APP',
  summary: 'Adds a telemetry drain to an app, when its collector has taken a test line',
  help: `  -a, --app APP   the app
  -f, --force     without the test, which heroku telemetry:add has no option for
      --headers JSON
                  what is sent with each post: '{"API-Key": "…"}'
      --json      the API's answer as it is

ENDPOINT is where OTLP is taken over HTTP, https://host[:4318]: lines are posted to /v1/logs below
it. A drain's options may stand behind its #, but for the format. plexus drains lists it.`,
  options: {
    ...appOption,
    force: { type: 'boolean', short: 'f', default: false },
    headers: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
  argumentNames: ['ENDPOINT'],
  run: async ({ values, positionals: [endpoint = ''], env }) => {
    const { app, force, json } = values
    const exporter = { type: 'otlphttp', endpoint, headers: readHeaders(values.headers) }
    const { api, path } = await openApp(app, env)
    const { id } = await api<{ id: string }>('GET', path)
    const body = { owner: { id, type: 'app' }, signals: ['logs'], exporter, force }
    const drain = await api<TelemetryDrain>('POST', '/telemetry-drains', { body })
    const said = `${drain.exporter.endpoint} (${drain.id}) has the lines of ${app} from now on.`
    process.stdout.write(`${json ? JSON.stringify(drain, null, 2) : said}\n`)
    return 0
  },
})

function readHeaders(json = '{}'): unknown {
  try {
    return JSON.parse(json)
  } catch {
    // The text may hold credentials: it is not said again.
    throw new UsageError(`--headers must be JSON: --headers '{"API-Key": "…"}'`)
  }
}
