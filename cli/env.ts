import { readFile } from 'node:fs/promises'
import { readLayout } from '../local-platform/layout.ts'
import { platformEnvFile } from '../local-platform/platform-env.ts'
import { nothingRuns } from '../local-platform/running-platform.ts'
import { defineCommand } from './command.ts'

export const env = defineCommand({
  usage: 'env',
  summary: 'Prints the variables of the platform that runs here, for eval',
  help: 'eval "$(npx plexus env)" is the same as sourcing $PLEXUS_HOME/env.',
  options: {},
  run: async (given) => {
    const { home } = readLayout(given.env)
    const file = platformEnvFile(home)
    const text = await readFile(file, 'utf8').catch(() => undefined)
    if (text === undefined) throw new Error(nothingRuns(home))
    process.stdout.write(text)
    return 0
  },
})
