import { readFile } from 'node:fs/promises'
import { platformEnvFile } from '../local-platform/platform-env.ts'
import { requirePlatform } from '../local-platform/running-platform.ts'
import { defineCommand } from './command.ts'

export const env = defineCommand({
  usage: 'env',
  summary: 'Prints the variables of the platform that runs here, for eval',
  help: 'eval "$(npx plexus env)" is the same as sourcing $PLEXUS_HOME/env.',
  options: {},
  run: async (given) => {
    // A platform that was killed leaves its file behind.
    const { home } = (await requirePlatform(given.env)).layout
    const text = await readFile(platformEnvFile(home), 'utf8').catch(() => undefined)
    if (text === undefined)
      throw new Error(`The platform in ${home} is not ready. npx plexus status says more.`)
    process.stdout.write(text)
    return 0
  },
})
