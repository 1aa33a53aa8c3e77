import { readAccess } from './access.ts'
import { defineCommand, UsageError } from './command.ts'
import { platformApi } from '../client/platform-api.ts'

type LogToken = { name: string; token: string; log_input_url: string; syslog_addr: string }

export const logsToken = defineCommand({
  usage: 'logs token -a APP',
  summary: "Prints a token that may send to an app's log, made if need be",
  help: `  -a, --app APP       the app
  -s, --source NAME   the source that its lines show (app)
      --json          the API's answer as it is`,
  options: {
    app: { type: 'string', short: 'a' },
    source: { type: 'string', short: 's', default: 'app' },
    json: { type: 'boolean', default: false },
  },
  run: async ({ values, env }) => {
    const { app, source, json } = values
    if (!app) throw new UsageError('Which app? Add -a APP.')
    const api = platformApi(await readAccess(env))
    const path = `/apps/${encodeURIComponent(app)}/log-tokens`
    const token = await api<LogToken>('POST', path, { body: { name: source } })
    process.stdout.write(json ? `${JSON.stringify(token, null, 2)}\n` : explain(token))
    return 0
  },
})

function explain({ name, token, log_input_url, syslog_addr }: LogToken): string {
  const [host = '127.0.0.1', port = '6001'] = syslog_addr.split(':')
  const message = `<190>1 $(date -u +%Y-%m-%dT%H:%M:%SZ) host ${token} web.1 - - hello`
  return `token          ${token}
source         ${name}
log_input_url  ${log_input_url}
syslog_addr    ${syslog_addr}

Send a line of the process web.1 over HTTP:

  line="${message}"
  curl -i -H 'Content-Type: application/logplex-1' --data-binary "\${#line} $line" '${log_input_url}'

over syslog, with the same line (bash):

  printf '%s %s' "\${#line}" "$line" > /dev/tcp/${host}/${port}

and with util-linux, whose process names are numbers (${name}[1]):

  logger --server ${host} --port ${port} --tcp --octet-count --rfc5424=notq,notime,nohost -p local7.info --id=1 -t ${token} hello from logger
`
}
