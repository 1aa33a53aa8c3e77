import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { UsageError, type Command } from './command.ts'

// Each is loaded when it is wanted: what one of them needs takes longer to load than another to run.
// A name of several words stands before the shorter one that it begins with.
const commands: Record<string, () => Promise<Command>> = {
  up: async () => (await import('./up.ts')).up,
  down: async () => (await import('./down.ts')).down,
  status: async () => (await import('./status.ts')).status,
  env: async () => (await import('./env.ts')).env,
  heroku: async () => (await import('./heroku.ts')).heroku,
  'logs credential create': async () => (await import('./logs-credential.ts')).logsCredentialCreate,
  'logs credential list': async () => (await import('./logs-credential.ts')).logsCredentialList,
  'logs credential remove': async () => (await import('./logs-credential.ts')).logsCredentialRemove,
  'logs switch': async () => (await import('./logs-switch.ts')).logsSwitch,
  'logs token': async () => (await import('./logs-token.ts')).logsToken,
  logs: async () => (await import('./logs.ts')).logs,
  'drains add': async () => (await import('./drains.ts')).drainsAdd,
  'drains replay': async () => (await import('./drains.ts')).drainsReplay,
  'drains test': async () => (await import('./drains.ts')).drainsTest,
  drains: async () => (await import('./drains.ts')).drains,
  'telemetry add': async () => (await import('./telemetry.ts')).telemetryAdd,
  'manifest push': async () => (await import('./manifest.ts')).manifestPush,
  'manifest pull': async () => (await import('./manifest.ts')).manifestPull,
  'manifest diff': async () => (await import('./manifest.ts')).manifestDiff,
  'manifest import': async () => (await import('./manifest-import.ts')).manifestImport,
  'manifest secret': async () => (await import('./manifest.ts')).manifestSecret,
  'provider proxy': async () => (await import('./provider-proxy.ts')).providerProxy,
  'provider test': async () => (await import('./provider-test.ts')).providerTest,
  'account:create': async () => (await import('./account-create.ts')).accountCreate,
  'services:state': async () => (await import('./services-state.ts')).servicesState,
  'addons:forget': async () => (await import('./addons-forget.ts')).addonsForget,
  'addons reconcile': async () => (await import('./addons-reconcile.ts')).addonsReconcile,
}

async function main(args: string[]): Promise<number> {
  const [first] = args
  if (first === undefined || first === 'help' || first === '--help' || first === '-h') {
    process.stdout.write(await overview())
    return 0
  }
  if (first === 'version' || first === '--version' || first === '-v') {
    process.stdout.write(`plexus ${version()} node-v${process.versions.node}\n`)
    return 0
  }
  const name = Object.keys(commands).find((words) =>
    words.split(' ').every((word, index) => args[index] === word),
  )
  const command = name === undefined ? undefined : await commands[name]?.()
  if (!command || name === undefined) {
    process.stderr.write(`plexus: there is no command "${first}"\n\n${await overview()}`)
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

async function overview(): Promise<string> {
  const entries = await Promise.all(Object.values(commands).map((load) => load()))
  const width = Math.max(...entries.map(({ usage }) => usage.length)) + 2
  const lines = entries.map(({ usage, summary }) => `  ${usage.padEnd(width)}${summary}`)
  return ['plexus COMMAND', '', ...lines, '', 'plexus COMMAND --help says more.', ''].join('\n')
}

// Sockets that are still open are no reason to stay.
process.exit(await main(process.argv.slice(2)))
