import { setServiceState } from '../local-platform/broker-as-operator.ts'
import { defineCommand } from './command.ts'
import { operatorHelp, operatorUrl } from './operator-url.ts'

export const servicesState = defineCommand({
  usage: 'services:state SLUG STATE',
  summary: 'Opens an add-on service that an account has pushed to others (for the operator)',
  help: `STATE is one of
  alpha     for its owner, and the testers that the plans file names; free plans only
  beta      for everybody; free plans only
  ga        for everybody, at the prices of its plans
  shutdown  nobody gets a new add-on of it; those that there are stay

${operatorHelp}`,
  options: {},
  argumentNames: ['SLUG', 'STATE'],
  run: async ({ positionals: [slug = '', state = ''], env }) => {
    const service = await setServiceState(await operatorUrl(env), slug, state)
    process.stdout.write(`${service.name} is ${service.state} now.\n`)
    return 0
  },
})
