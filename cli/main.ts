import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { accountCreate } from './account-create.ts'
import { addonsForget } from './addons-forget.ts'
import { addonsReconcile } from './addons-reconcile.ts'
import { UsageError, type Command } from './command.ts'
import { down } from './down.ts'
import { drains, drainsAdd, drainsReplay, drainsTest } from './drains.ts'
import { env } from './env.ts'
import { heroku } from './heroku.ts'
import {
  logsCredentialCreate,
  logsCredentialList,
  logsCredentialRemove,
} from './logs-credential.ts'
import { logsSwitch } from './logs-switch.ts'
import { logsToken } from './logs-token.ts'
import { logs } from './logs.ts'
import { manifestImport } from './manifest-import.ts'
import { manifestDiff, manifestPull, manifestPush, manifestSecret } from './manifest.ts'
import { providerProxy } from './provider-proxy.ts'
import { providerTest } from './provider-test.ts'
import { servicesState } from './services-state.ts'
import { status } from './status.ts'
import { telemetryAdd } from './telemetry.ts'
import { up } from './up.ts'

// A name of several words stands before the shorter one that it begins with.
const commands: Record<string, Command> = {
  up,
  down,
  status,
  env,
  heroku,
  'logs credential create': logsCredentialCreate,
  'logs credential list': logsCredentialList,
  'logs credential remove': logsCredentialRemove,
  'logs switch': logsSwitch,
  'logs token': logsToken,
  logs,
  'drains add': drainsAdd,
  'drains replay': drainsReplay,
  'drains test': drainsTest,
  drains,
  'telemetry add': telemetryAdd,
  'manifest push': manifestPush,
  'manifest pull': manifestPull,
  'manifest diff': manifestDiff,
  'manifest import': manifestImport,
  'manifest secret': manifestSecret,
  'provider proxy': providerProxy,
  'provider test': providerTest,
  'account:create': accountCreate,
  'services:state': servicesState,
  'addons:forget': addonsForget,
  'addons reconcile': addonsReconcile,
}

async function main(args: string[]): Promise<number> {
  const [first] = args
  if (first === undefined || first === 'help' || first === '--help' || first === '-h') {
    process.stdout.write(overview())
    return 0
  }
  if (first === 'version' || first === '--version' || first === '-v') {
    process.stdout.write(`plexus ${version()} node-v${process.versions.node}\n`)
    return 0
  }
  const name = Object.keys(commands).find((words) =>
    words.split(' ').every((word, index) => args[index] === word),
  )
  const command = name === undefined ? undefined : commands[name]
  if (!command || name === undefined) {
    process.stderr.write(`plexus: there is no command "${first}"\n\n${overview()}`)
    return 2
  }
  const rest = args.slice(name.split(' ').length)
  if (!command.raw && rest.some((arg) => arg === '--help' || arg === '-h')) {
    process.stdout.write(`plexus ${command.usage}\n\n${command.summary}\n\n${command.help}\n`)
    return 0
  }
  try {
    return await command.run(rest, process.env)
  } catch (error) {
    process.stderr.write(`plexus: ${(error as Error).message}\n`)
    if (!(error instanceof UsageError)) return 1
    process.stderr.write(`See plexus ${name} --help\n`)
    return 2
  }
}

function version(): string {
  const file = resolve(import.meta.dirname, '../package.json')
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

function overview(): string {
  const entries = Object.values(commands)
  const width = Math.max(...entries.map(({ usage }) => usage.length)) + 2
  const lines = entries.map(({ usage, summary }) => `  ${usage.padEnd(width)}${summary}`)
  return ['plexus COMMAND', '', ...lines, '', 'plexus COMMAND --help says more.', ''].join('\n')
}

// Sockets that are still open are no reason to stay.
process.exit(await main(process.argv.slice(2)))
