import { readFile } from 'node:fs/promises'
import { readLayout } from '../local-platform/layout.ts'
import { platformEnvFile } from '../local-platform/platform-env.ts'
import { UsageError, type Command } from './command.ts'

export const env: Command = {
  usage: 'env',
  summary: 'Prints the variables of the platform that runs here, for eval',
  help: 'eval "$(npx plexus env)" is the same as sourcing $PLEXUS_HOME/env.',
  run: async (_args, processEnv) => {
    const file = platformEnvFile(readLayout(processEnv).home)
    const text = await readFile(file, 'utf8').catch(() => undefined)
    if (text === undefined) throw new UsageError(`There is no ${file}: start with npm start.`)
    process.stdout.write(text)
    return 0
  },
}
