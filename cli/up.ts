import { parseArgs } from 'node:util'
import { up as start } from '../scripts/up.ts'
import type { Command } from './command.ts'

export const up: Command = {
  usage: 'up',
  summary: 'Starts everything here and shows the demo log (npm start)',
  help: `Starts NATS, Redis, PostgreSQL and the six services, makes the demo app at the first start, and
writes $PLEXUS_HOME/env when all is ready. Ctrl-C stops everything.

      --watch            services start anew when their files change (npm run dev)

  PLEXUS_HOME            where everything is kept (.plexus)
  PLEXUS_PORT_BASE       the API's port, on which all others hang (4000)
  PLEXUS_ENGINES         where programs that the machine lacks are kept ($PLEXUS_HOME/engines)
  PLEXUS_SYSTEM_ENGINES  no: fetch them even where the machine has them`,
  run: async (args, env) => {
    const { values } = parseArgs({ args, options: { watch: { type: 'boolean', default: false } } })
    return start(env, values)
  },
}
