import { Svcm } from '@nats-io/services'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { silentLog } from '#lib/log.ts'
import { connectNats } from '#lib/nats.ts'
import { loadCredentials } from '../local-platform/credentials.ts'
import { answers } from '../local-platform/engines/engine.ts'
import { readLayout, type Layout } from '../local-platform/layout.ts'
import { readPlatformEnv } from '../local-platform/platform-env.ts'
import { natsUrl } from '../local-platform/service-env.ts'
import { homeHolder } from '../local-platform/supervisor/home-lock.ts'
import type { Command } from './command.ts'

export const status: Command = {
  usage: 'status',
  summary: 'Says what runs here and where',
  help: `Asks the services over NATS: each line is one process, with the requests that it has answered.
Ends with status 1 when nothing runs here, or not everything is ready.`,
  run: async (_args, env) => {
    const layout = readLayout(env)
    const { home, ports } = layout
    const holder = existsSync(home) ? homeHolder(home) : undefined
    if (!holder && !(existsSync(home) && (await answers(ports.nats)))) {
      process.stdout.write(`Nothing runs in ${home}. Start it with npm start.\n`)
      return 1
    }
    const vars = await readPlatformEnv(home)
    const lines = [
      `home      ${home}`,
      `process   ${holder ? `${holder.pid}, since ${holder.since}` : 'none: it was killed'}`,
      `state     ${vars ? 'ready' : 'starting or stopping'}`,
      `api       ${vars?.['PLEXUS_API_URL'] ?? '-'}`,
      `logs      ${vars?.['PLEXUS_LOGS_URL'] ?? '-'}`,
      `syslog    ${vars?.['PLEXUS_SYSLOG_ADDR'] ?? '-'}`,
      '',
      ...(await serviceLines(layout)),
    ]
    process.stdout.write(`${lines.join('\n')}\n`)
    return holder && vars ? 0 : 1
  },
}

async function serviceLines(layout: Layout): Promise<string[]> {
  if (!existsSync(join(layout.home, 'credentials.json')) || !(await answers(layout.ports.nats)))
    return ['NATS does not answer.']
  const credentials = await loadCredentials(layout.home)
  const nats = await connectNats(natsUrl(layout, credentials, 'operator'), 'status', silentLog)
  try {
    const lines: string[] = []
    for await (const service of await new Svcm(nats).client().stats()) {
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
