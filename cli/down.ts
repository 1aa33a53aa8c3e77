import { setTimeout as delay } from 'node:timers/promises'
import { readLayout } from '../local-platform/layout.ts'
import { runFolder } from '../local-platform/process-files.ts'
import { homeHolder } from '../local-platform/supervisor/home-lock.ts'
import { endEverything } from '../local-platform/supervisor/leftovers.ts'
import { existsSync } from 'node:fs'
import { defineCommand } from './command.ts'

const timeoutMs = 60_000
const probeMs = 50

export const down = defineCommand({
  usage: 'down',
  summary: 'Stops what runs here',
  help: 'Stops the platform of $PLEXUS_HOME in order, also what a killed start has left behind.',
  options: {},
  run: async ({ env }) => {
    const { home } = readLayout(env)
    const holder = existsSync(home) ? homeHolder(home) : undefined
    if (holder) {
      process.kill(holder.pid, 'SIGTERM')
      const end = Date.now() + timeoutMs
      while (homeHolder(home)) {
        if (Date.now() > end) throw new Error(`process ${holder.pid} has not ended yet`)
        await delay(probeMs)
      }
    }
    const left = existsSync(runFolder(home)) ? await endEverything(runFolder(home)) : []
    const what = [...(holder ? ['the supervisor and all it ran'] : []), ...left]
    process.stdout.write(what.length > 0 ? `Stopped ${what.join(', ')}.\n` : 'Nothing ran here.\n')
    return 0
  },
})
