import { randomBytes } from 'node:crypto'
import { createToken, putAccount } from '../local-platform/accounts.ts'
import { loadCredentials } from '../local-platform/credentials.ts'
import { requirePlatform } from '../local-platform/running-platform.ts'
import { natsUrl } from '../local-platform/service-env.ts'
import { defineCommand } from './command.ts'

export const accountCreate = defineCommand({
  usage: 'account:create EMAIL',
  summary: 'Makes an account, or gives one a new password (for the operator of this machine)',
  help: `      --password PASSWORD   instead of one that is made up
      --json                for programs

Prints the password and a new token; neither is shown again. Elsewhere than on this machine,
PLEXUS_NATS_URL says where to ask, with the operator's user and password.`,
  options: { password: { type: 'string' }, json: { type: 'boolean', default: false } },
  argumentNames: ['EMAIL'],
  run: async ({ values, positionals: [email = ''], env }) => {
    const operatorUrl = env['PLEXUS_NATS_URL'] ?? (await localOperatorUrl(env))
    const account = { email, password: values.password ?? randomBytes(15).toString('base64url') }
    await putAccount(operatorUrl, account)
    const description = 'plexus account:create'
    const token = await createToken(operatorUrl, { ...account, description })
    const text = values.json
      ? JSON.stringify({ ...account, token })
      : `email     ${email}\npassword  ${account.password}\ntoken     ${token}`
    process.stdout.write(`${text}\n`)
    return 0
  },
})

async function localOperatorUrl(env: NodeJS.ProcessEnv): Promise<string> {
  const { layout } = await requirePlatform(env)
  return natsUrl(layout, await loadCredentials(layout.home), 'operator')
}
