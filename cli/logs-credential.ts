import {
  createLogCredential,
  listLogCredentials,
  removeLogCredential,
} from '../local-platform/log-credentials.ts'
import { defineCommand } from './command.ts'
import { operatorHelp, operatorUrl } from './operator-url.ts'

export const logsCredentialCreate = defineCommand({
  usage: 'logs credential create NAME',
  summary: "Makes a credential for the logs of all apps, or for Logplex's API (for the operator)",
  help: `NAME says for whom it is. One or both of
      --any-channel   may post lines of every app; each frame's token says whose
      --full-api      may use Logplex's own API, v2 and v3

Its password is shown once.

${operatorHelp}`,
  options: { 'any-channel': { type: 'boolean' }, 'full-api': { type: 'boolean' } },
  argumentNames: ['NAME'],
  run: async ({ values, positionals: [name = ''], env }) => {
    const permissions = [
      ...(values['any-channel'] ? ['any_channel'] : []),
      ...(values['full-api'] ? ['full_api'] : []),
    ]
    const made = await createLogCredential(await operatorUrl(env), { name, permissions })
    const url = made.logInputUrl === '' ? '' : `log_input_url  ${made.logInputUrl}\n`
    process.stdout.write(`id             ${made.id}\npassword       ${made.password}\n${url}`)
    process.stdout.write('Keep the password: it is not shown again.\n')
    return 0
  },
})

export const logsCredentialList = defineCommand({
  usage: 'logs credential list',
  summary: 'Shows the credentials for the logs (for the operator)',
  help: operatorHelp,
  options: {},
  run: async ({ env }) => {
    const credentials = await listLogCredentials(await operatorUrl(env))
    const lines = credentials.map(
      ({ id, name, permissions }) => `${id}  ${permissions.join(',').padEnd(20)}  ${name}\n`,
    )
    process.stdout.write(lines.join(''))
    return 0
  },
})

export const logsCredentialRemove = defineCommand({
  usage: 'logs credential remove ID',
  summary: 'Ends a credential for the logs (for the operator)',
  help: operatorHelp,
  options: {},
  argumentNames: ['ID'],
  run: async ({ positionals: [id = ''], env }) => {
    const removed = await removeLogCredential(await operatorUrl(env), id)
    process.stdout.write(`${removed.id} (${removed.name}) is no longer let in.\n`)
    return 0
  },
})
