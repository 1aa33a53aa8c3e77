import { randomBytes } from 'node:crypto'
import { createToken, putAccount } from '../local-platform/accounts.ts'
import { defineCommand } from './command.ts'
import { operatorHelp, operatorUrl } from './operator-url.ts'

export const accountCreate = defineCommand({
  usage: 'account:create EMAIL',
  summary: 'Makes an account, or gives one a new password (for the operator of this machine)',
  help: `      --password PASSWORD   instead of one that is made up
      --json                for programs

Prints the password and a new token; neither is shown again. ${operatorHelp}`,
  options: { password: { type: 'string' }, json: { type: 'boolean', default: false } },
  argumentNames: ['EMAIL'],
  run: async ({ values, positionals: [email = ''], env }) => {
    const url = await operatorUrl(env)
    const account = { email, password: values.password ?? randomBytes(15).toString('base64url') }
    await putAccount(url, account)
    const description = 'plexus account:create'
    const token = await createToken(url, { ...account, description })
    const text = values.json
      ? JSON.stringify({ ...account, token })
      : `email     ${email}\npassword  ${account.password}\ntoken     ${token}`
    process.stdout.write(`${text}\n`)
    return 0
  },
})
