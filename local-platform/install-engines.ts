import { execFile, spawn } from 'node:child_process'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { fetchDebianPackages } from './debian-packages.ts'
import { enginesFolder, fetchedPrograms, findBinaries, type Binaries } from './binaries.ts'
import { usableFolder } from './folders.ts'
import { postgresAccount, reachableFolder } from './engines/postgres-account.ts'

const run = promisify(execFile)

type Say = (text: string) => void

const programs = [
  { key: 'natsServer', title: 'nats-server', debian: 'nats-server', brew: 'nats-server' },
  { key: 'redisServer', title: 'redis-server', debian: 'redis-server', brew: 'redis' },
  { key: 'postgresBin', title: 'PostgreSQL', debian: 'postgresql', brew: 'postgresql@15' },
] as const satisfies { key: keyof Binaries; title: string; debian: string; brew: string }[]

/**
 * All programs that Plexus runs: those of the machine, and what is missing fetched first. Nothing
 * of the system is changed on Debian and Ubuntu; on macOS Homebrew installs, and starts no service.
 *
 * @throws Error that says what to install, where Plexus cannot do it itself.
 */
export async function ensureBinaries(env: NodeJS.ProcessEnv, say: Say): Promise<Binaries> {
  const present = await findBinaries(env)
  const missing = programs.filter(({ key }) => !present[key])
  if (missing.length > 0) {
    // Those that were fetched before are fetched again, for what is fetched shares one folder.
    const fetched = await fetchedPrograms(env)
    const again = programs.filter(({ key }) => present[key]?.startsWith(fetched))
    await install([...missing, ...again], env, say)
    Object.assign(present, await findBinaries(env))
  }
  const { natsServer, redisServer, postgresBin } = present
  if (!natsServer || !redisServer || !postgresBin) throw new Error(whatToInstall(missing))
  return { natsServer, redisServer, postgresBin }
}

async function install(
  missing: readonly (typeof programs)[number][],
  env: NodeJS.ProcessEnv,
  say: Say,
): Promise<void> {
  if (process.platform === 'darwin' && (await isCommand('brew'))) {
    const formulas = missing.map(({ brew }) => brew)
    say(`Installing with Homebrew (no service is started): ${formulas.join(', ')}`)
    return runShown('brew', ['install', ...formulas])
  }
  if (process.platform === 'linux' && (await isCommand('apt-get')) && (await isCommand('dpkg'))) {
    await usableFolder(dirname(enginesFolder(env)), 0o711, 'PLEXUS_ENGINES')
    return fetchDebianPackages({
      packages: missing.map(({ debian }) => debian),
      folder: await reachableFolder(enginesFolder(env), await postgresAccount(), say),
      // Told not to use the machine's programs, do not count on its libraries either.
      ignoreInstalled: env['PLEXUS_SYSTEM_ENGINES'] === 'no',
      say,
    })
  }
  throw new Error(whatToInstall(missing))
}

function whatToInstall(missing: readonly { title: string }[]): string {
  const titles = missing.map(({ title }) => title).join(', ')
  return (
    `${titles} not found (PostgreSQL from 14 on). Install what is missing with your system's ` +
    'package manager and start again, or run everything in containers: docker compose up'
  )
}

async function isCommand(name: string): Promise<boolean> {
  return run('sh', ['-c', `command -v ${name}`]).then(
    () => true,
    () => false,
  )
}

function runShown(command: string, args: string[]): Promise<void> {
  return new Promise((done, failed) => {
    const child = spawn(command, args, { stdio: ['ignore', 2, 2] })
    child.once('error', failed)
    child.once('exit', (code) =>
      code === 0 ? done() : failed(new Error(`${command} ${args.join(' ')} failed, see above`)),
    )
  })
}
