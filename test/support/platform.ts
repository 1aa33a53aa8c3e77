import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { listProcesses, listProcessesOf, type ListedProcess } from '#lib/processes.ts'
import { readPlatformEnv } from '../../local-platform/platform-env.ts'
import { addonInstances } from '../../local-platform/supervisor/addon-instances.ts'
import { eventually } from './eventually.ts'
import { freePortBase } from './ports.ts'

const root = resolve(import.meta.dirname, '../..')
const readyTimeoutMs = 150_000

/** A whole platform, started by its real command in processes of its own. */
export type PlatformProcess = {
  home: string
  portBase: number
  /** What `<home>/env` says, with PLEXUS_HOME and PLEXUS_PORT_BASE. */
  env: Record<string, string>
  /** How long it took to be ready, in milliseconds. */
  readyMs: number
  /** All that it has said. */
  output: () => string
  /** Ctrl-C, waits for the end, and answers the exit status. Keeps the home. */
  interrupt: () => Promise<number | null>
  /** kill -9 of every process of this home; nothing gets to say goodbye. */
  killAll: () => Promise<void>
  /** Ends everything and removes the home. */
  stop: () => Promise<void>
}

/** The environment in which a command meets that home and nothing else of this machine's Plexus. */
export function homeEnv(home: string, portBase: number): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: process.env['HOME'] ?? '/',
    PLEXUS_HOME: home,
    PLEXUS_PORT_BASE: String(portBase),
    // Programs fetched once serve every test of this checkout.
    PLEXUS_ENGINES: process.env['PLEXUS_ENGINES'] || join(root, '.plexus/engines'),
    PLEXUS_HEROKU_CLI: process.env['PLEXUS_HEROKU_CLI'] || join(root, '.plexus/heroku-cli'),
    ...(process.env['PLEXUS_SYSTEM_ENGINES'] && {
      PLEXUS_SYSTEM_ENGINES: process.env['PLEXUS_SYSTEM_ENGINES'],
    }),
    ...registryEnv(),
  }
}

/** The first use of the official CLI fetches it with npm, which may need to be told from where. */
function registryEnv(): Record<string, string> {
  const entries = Object.entries(process.env).filter(([name]) => /^npm_config_/i.test(name))
  return Object.fromEntries(entries.map(([name, value]) => [name, value ?? '']))
}

/** An empty home for a platform, which PostgreSQL's own account can walk through. */
export async function newHome(): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'plexus-system-'))
  await chmod(home, 0o711)
  return home
}

/** Runs `plexus up` and returns when it is ready; a home given before is started again. */
export async function startPlatform(
  options: { home?: string; portBase?: number } = {},
): Promise<PlatformProcess> {
  const home = options.home ?? (await newHome())
  const portBase = options.portBase ?? (await freePortBase())
  const begin = Date.now()
  const child = spawn(process.execPath, [join(root, 'bin/plexus'), 'up'], {
    env: homeEnv(home, portBase),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const ended = new Promise<number | null>((done) => child.once('close', done))
  const env = await eventually(async () => {
    const vars = await readPlatformEnv(home)
    if (vars && said.includes('Plexus is ready')) return vars
    if (child.exitCode === null) throw new Error(`the platform is not ready:\n${said}`)
    return undefined
  }, readyTimeoutMs).catch(async (error: Error) => {
    child.kill('SIGTERM')
    await ended
    throw error
  })
  if (!env) throw new Error(`the platform ended at its start:\n${said}`)
  const interrupt = async (): Promise<number | null> => {
    child.kill('SIGINT')
    return ended
  }
  const killAll = async (): Promise<void> => {
    await killHome(child, home)
    await ended
  }
  return {
    home,
    portBase,
    env: { ...homeEnv(home, portBase), ...env },
    readyMs: Date.now() - begin,
    output: () => said,
    interrupt,
    killAll,
    stop: async () => {
      await interrupt()
      await killAll()
      await rm(home, { recursive: true, force: true })
    },
  }
}

/** kill -9, until nothing of the home is left: first who would start others again. */
async function killHome(launcher: ChildProcess, home: string): Promise<void> {
  launcher.kill('SIGKILL')
  await eventually(() => {
    const left = processesOf(home)
    for (const { pid } of left) kill(pid)
    if (left.length > 0) throw new Error(`still there: ${JSON.stringify(left)}`)
  })
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself meanwhile.
  }
}

/** Every process of a home: the supervisor, what it recorded, and whoever names the home. */
export function processesOf(home: string): ListedProcess[] {
  const recorded = new Set([
    ...recordedPids(home),
    ...addonInstances(home).map(({ pid }) => pid),
    supervisorPid(home),
  ])
  const naming = new Set(listProcessesOf(home).map(({ pid }) => pid))
  return listProcesses().filter(
    ({ pid }) => pid !== process.pid && (recorded.has(pid) || naming.has(pid)),
  )
}

function recordedPids(home: string): number[] {
  const folder = join(home, 'run')
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((file) => file.endsWith('.pid'))
    .map((file) => Number(readFileSync(join(folder, file), 'utf8')))
}

function supervisorPid(home: string): number | undefined {
  try {
    const holder = JSON.parse(readFileSync(join(home, 'supervisor.json'), 'utf8')) as {
      pid: number
    }
    return holder.pid
  } catch {
    // None has started, or it has ended in order.
    return undefined
  }
}
