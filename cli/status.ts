import { Svcm } from '@nats-io/services'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { loadCredentials } from '../local-platform/credentials.ts'
import { answers } from '../local-platform/engines/engine.ts'
import { readLayout, type Layout } from '../local-platform/layout.ts'
import { findPlatform, nothingRuns } from '../local-platform/running-platform.ts'
import { natsUrl } from '../local-platform/service-env.ts'
import { defineCommand } from './command.ts'

/** Services answer when they come to it; nobody says how many there are. */
const answersMs = 1_500

export const status = defineCommand({
  usage: 'status',
  summary: 'Says what runs here and where',
  help: `Asks the services over NATS: each line is one process, with the requests that it has answered.
Ends with status 1 when nothing runs here, or not everything is ready.`,
  options: {},
  run: async ({ env }) => {
    const platform = await findPlatform(env)
    if (!platform) {
      process.stdout.write(`${nothingRuns(readLayout(env).home)}\n`)
      return 1
    }
    const { layout, holder, vars } = platform
    const services = await serviceLines(layout)
    const ready = holder && vars && services
    const lines = [
      `home      ${layout.home}`,
      `process   ${holder ? `${holder.pid}, since ${holder.since}` : 'none: it was killed'}`,
      `state     ${ready ? 'ready' : vars ? 'not well' : 'starting or stopping'}`,
      `api       ${vars?.['PLEXUS_API_URL'] ?? '-'}`,
      `logs      ${vars?.['PLEXUS_LOGS_URL'] ?? '-'}`,
      `syslog    ${vars?.['PLEXUS_SYSLOG_ADDR'] ?? '-'}`,
      '',
      ...(services ?? [`NATS does not answer at port ${layout.ports.nats}.`]),
    ]
    process.stdout.write(`${lines.join('\n')}\n`)
    return ready ? 0 : 1
  },
})

/** A line for each process that answers over NATS; undefined when NATS itself does not. */
async function serviceLines(layout: Layout): Promise<string[] | undefined> {
  if (!existsSync(join(layout.home, 'credentials.json')) || !(await answers(layout.ports.nats)))
    return undefined
  const credentials = await loadCredentials(layout.home)
  const nats = await connectNats(natsUrl(layout, credentials, 'operator'), 'status', silentLog)
  try {
    const lines: string[] = []
    // All that come in time: a service that is just busy is not missing.
    const asked = { strategy: 'timer', maxWait: answersMs } as const
    for await (const service of await new Svcm(nats).client(asked).stats()) {
      const endpoints = service.endpoints ?? []
      const total = (key: 'num_requests' | 'num_errors'): number =>
        endpoints.reduce((sum, endpoint) => sum + endpoint[key], 0)
      const since = `up since ${service.started}`
      lines.push(
        `${service.name.padEnd(20)} ${total('num_requests')} requests, ${total('num_errors')} refused, ${since}`,
      )
    }
    return lines.toSorted()
  } finally {
    await nats.close()
  }
}
