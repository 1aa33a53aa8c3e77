import { forgetAddon } from '../local-platform/broker-as-operator.ts'
import { defineCommand, UsageError } from './command.ts'
import { operatorHelp, operatorUrl } from './operator-url.ts'

export const addonsForget = defineCommand({
  usage: 'addons:forget ADDON',
  summary: 'Calls an add-on gone whose provider will never say so (for the operator)',
  help: `      --confirm ADDON   its name once more: what the provider has of it is not removed

Takes the add-on off its apps, as addons:destroy does, and asks its provider no more. See
docs/OPERATIONS.md for when that is the thing to do.

${operatorHelp}`,
  options: { confirm: { type: 'string' } },
  argumentNames: ['ADDON'],
  run: async ({ values, positionals: [addon = ''], env }) => {
    if (values.confirm !== addon)
      throw new UsageError(`Add --confirm ${addon}: its provider may still have it.`)
    const { name, state, providerId } = await forgetAddon(await operatorUrl(env), addon)
    process.stdout.write(`${name} is ${state}. Its provider knew it as ${providerId || name}.\n`)
    return 0
  },
})
