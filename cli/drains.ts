import { platformApi, type PlatformApi } from '../client/platform-api.ts'
import { readAccess } from './access.ts'
import { defineCommand, UsageError } from './command.ts'

type Drain = { id: string; token: string; url: string }
type DrainTest = {
  passed: boolean
  steps: { name: string; result: string; detail: string }[]
  advice: string | null
}

const appOption = { app: { type: 'string', short: 'a' } } as const

/** The API, and the path of the app's drains. */
async function openDrains(
  app: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<{ api: PlatformApi; path: string }> {
  if (!app) throw new UsageError('Which app? Add -a APP.')
  const api = platformApi(await readAccess(env))
  return { api, path: `/apps/${encodeURIComponent(app)}/log-drains` }
}

export const drainsAdd = defineCommand({
  usage: 'drains add URL -a APP',
  summary: 'Adds a log drain to an app, when its receiver has taken a test line',
  help: `  -a, --app APP   the app
  -f, --force     without the test: the receiver is not there yet
      --json      the API's answer as it is

URL is https://…, http://…, syslog+tls://host[:6514], syslog://host[:601] or
udpsyslog://host[:514]. Certificates are verified unless it ends in #insecure.`,
  options: {
    ...appOption,
    force: { type: 'boolean', short: 'f', default: false },
    json: { type: 'boolean', default: false },
  },
  argumentNames: ['URL'],
  run: async ({ values, positionals: [url = ''], env }) => {
    const { app, force, json } = values
    const { api, path } = await openDrains(app, env)
    const drain = await api<Drain>('POST', path, { body: { url, force } })
    const said = `${drain.url} (${drain.token}) has the lines of ${app} from now on.`
    process.stdout.write(`${json ? JSON.stringify(drain, null, 2) : said}\n`)
    return 0
  },
})

export const drainsTest = defineCommand({
  usage: 'drains test DRAIN -a APP',
  summary: 'Tests the way to the receiver of a log drain, step by step',
  help: `  -a, --app APP   the app
      --json      the API's answer as it is

DRAIN is the id, the token or the url of one of the app's drains, or a url that may become one.
The receiver gets one line of heroku[logplex]. Ends with 1 when a step failed.`,
  options: { ...appOption, json: { type: 'boolean', default: false } },
  argumentNames: ['DRAIN'],
  run: async ({ values, positionals: [drain = ''], env }) => {
    const { api, path } = await openDrains(values.app, env)
    const done = await api<DrainTest>('POST', `${path}/actions/test`, { body: { drain } })
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
