import { Svcm, type ServiceStats } from '@nats-io/services'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { loadCredentials } from '../local-platform/credentials.ts'
import { answers } from '../local-platform/engines/engine.ts'
import { readLayout, type Layout } from '../local-platform/layout.ts'
import {
  findPlatform,
  nothingRuns,
  type RunningPlatform,
} from '../local-platform/running-platform.ts'
import { natsUrl, serviceNames, type ServiceName } from '../local-platform/service-env.ts'
import { canaryLine } from './canary-line.ts'
import { defineCommand } from './command.ts'

/** Services answer when they come to it; how many processes of each there are, nobody says. */
const answersMs = 1_500

export const status = defineCommand({
  usage: 'status',
  summary: 'Says what runs here and where',
  help: `Asks the api by HTTP and the others over NATS: each line is what one process answers to, with the
requests that it has answered. The canary is logplex' own line, which it sends through itself every few
seconds and looks for at both ends. It sees the platform of this home, and none that runs elsewhere. Ends
with status 1 when nothing runs here, or not every service answers.`,
  options: {},
  run: async ({ env }) => {
    const platform = await findPlatform(env)
    if (!platform) {
      process.stdout.write(`${nothingRuns(readLayout(env).home)}\n`)
      return 1
    }
    const { layout, holder, vars } = platform
    const logsUrl = vars?.['PLEXUS_LOGS_URL']
    const [services, apiAnswers, canary] = await Promise.all([
      askServices(layout),
      isApiThere(layout),
      logsUrl === undefined ? undefined : canaryLine(logsUrl, answersMs),
    ])
    const missing = services && missingOf(services, apiAnswers)
    const isReady = Boolean(holder && vars && missing?.length === 0)
    const lines = [
      `home      ${layout.home}`,
      `process   ${holder ? `${holder.pid}, since ${holder.since}` : 'none: it was killed'}`,
      `state     ${isReady ? 'ready' : whyNotReady(platform, missing)}`,
      `api       ${vars?.['PLEXUS_API_URL'] ?? '-'}`,
      `logs      ${logsUrl ?? '-'}`,
      `syslog    ${vars?.['PLEXUS_SYSLOG_ADDR'] ?? '-'}`,
      `canary    ${canary ?? '-'}`,
      '',
      ...(services?.map(describe).toSorted() ?? [
        `NATS does not answer at port ${layout.ports.nats}.`,
      ]),
    ]
    process.stdout.write(`${lines.join('\n')}\n`)
    return isReady ? 0 : 1
  },
})

function whyNotReady({ vars }: RunningPlatform, missing: ServiceName[] = []): string {
  if (!vars) return 'starting or stopping'
  return missing.length === 0 ? 'not well' : `not well: no answer from ${missing.join(', ')}`
}

/** Those of the platform's services of which no process has answered. */
function missingOf(answering: ServiceStats[], apiAnswers: boolean): ServiceName[] {
  // Our providers answer to two names: provider-postgres and data-postgres.
  const names = new Set(answering.map(({ name }) => name.replace(/^(provider|data)-/, '')))
  if (apiAnswers) names.add('api')
  return serviceNames.filter((name) => !names.has(name))
}

function isApiThere({ ports }: Layout): Promise<boolean> {
  const url = `http://127.0.0.1:${ports.api}/health`
  return fetch(url, { signal: AbortSignal.timeout(answersMs) }).then(
    ({ ok }) => ok,
    () => false,
  )
}

/** What each process says that answers over NATS; undefined when NATS itself does not. */
async function askServices(layout: Layout): Promise<ServiceStats[] | undefined> {
  if (!existsSync(join(layout.home, 'credentials.json')) || !(await answers(layout.ports.nats)))
    return undefined
  const credentials = await loadCredentials(layout.home)
  const nats = await connectNats(natsUrl(layout, credentials, 'operator'), 'status', silentLog)
  try {
    // All that come in time: a service that is just busy is not missing.
    const asked = { strategy: 'timer', maxWait: answersMs } as const
    const said: ServiceStats[] = []
    for await (const stats of await new Svcm(nats).client(asked).stats()) said.push(stats)
    return said
  } finally {
    await nats.close()
  }
}

function describe({ name, endpoints = [], started }: ServiceStats): string {
  const total = (key: 'num_requests' | 'num_errors'): number =>
    endpoints.reduce((sum, endpoint) => sum + endpoint[key], 0)
  const counts = `${total('num_requests')} requests, ${total('num_errors')} refused`
  return `${name.padEnd(20)} ${counts}, up since ${started}`
}
