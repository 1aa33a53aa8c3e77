import { execFile, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { access, chmod, mkdir, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { findBinaries } from '../local-platform/binaries.ts'
import { usableFolder } from '../local-platform/folders.ts'
import { platformHosts } from '../local-platform/heroku-env.ts'
import { readLayout } from '../local-platform/layout.ts'
import { herokuState, readAccess, type Access } from './access.ts'
import type { Command } from './command.ts'

const run = promisify(execFile)

const herokuVersion = '11.10.0'
const installTimeoutMs = 10 * 60_000
const progressEveryMs = 10_000
const checkout = resolve(import.meta.dirname, '..')

export const heroku: Command = {
  usage: 'heroku …',
  summary: `The official heroku CLI (npm heroku@${herokuVersion.split('.')[0]}), pointed here and nowhere else`,
  help: '',
  raw: true,
  run: async (args, env) => {
    const target = await readAccess(env)
    const { home } = readLayout(env)
    // One for all homes of this checkout: it keeps nothing of theirs.
    const cli = await ensureCli(env['PLEXUS_HEROKU_CLI'] || join(checkout, '.plexus/heroku-cli'))
    const cliEnv = await herokuEnv({ env, target, home, login: isLogin(args) })
    const child = spawn(process.execPath, [cli, ...(await withoutRemote(args))], {
      env: cliEnv,
      stdio: 'inherit',
    })
    // The terminal tells the CLI itself; what is sent to us alone is passed on.
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.on(signal, () => child.kill(signal))
    return new Promise((done, failed) => {
      child.once('error', failed)
      child.once('exit', (code, signal) =>
        done(code ?? 128 + constants.signals[signal ?? 'SIGTERM']),
      )
    })
  },
}

/** These work on the stored credentials, and refuse while a token stands in the environment. */
function isLogin(args: string[]): boolean {
  return /^(auth:)?(login|logout)$/.test(args[0] ?? '')
}

/**
 * In the checkout of Plexus, apps:create would point a git remote of it at the new app: nobody
 * deploys Plexus to an app.
 */
async function withoutRemote(args: string[]): Promise<string[]> {
  const [command = '', ...rest] = args
  const wanted = rest.some((arg) => /^(-r|--remote)/.test(arg))
  if (!/^(apps:)?create$/.test(command) || wanted) return args
  const { stdout } = await run('git', ['rev-parse', '--show-toplevel']).catch(() => ({
    stdout: '',
  }))
  const isOurs = stdout.trim() === (await realpath(checkout))
  return isOurs ? [command, '--no-remote', ...rest] : args
}

/**
 * The CLI's own environment: its files under our home, its hosts all here, and nothing from the
 * caller's Heroku settings, so that no token goes anywhere else.
 */
async function herokuEnv(options: {
  env: NodeJS.ProcessEnv
  target: Access
  home: string
  login: boolean
}): Promise<NodeJS.ProcessEnv> {
  const { env, target, home, login } = options
  const state = herokuState(home)
  await mkdir(join(state, 'cache/heroku'), { recursive: true, mode: 0o700 })
  await chmod(state, 0o700)
  await mkdir(join(state, 'data'), { recursive: true })
  await mkdir(join(state, 'config'), { recursive: true })
  // Its terms of service are Heroku's: the one-off notice about them has no place here.
  await writeFile(join(state, 'cache/heroku/terms-of-service'), '')
  const foreign = /^(HEROKU_|https?_proxy$|all_proxy$|no_proxy$)/i
  const kept = Object.entries(env).filter(
    ([name]) => !foreign.test(name) || /^HEROKU_(DEBUG|APP$|COLOR$|LOGS_COLOR$)/.test(name),
  )
  const { postgresBin } = await findBinaries(env)
  // pg:psql wants psql: the machine's own, or the one that was fetched.
  const path = [env['PATH'], postgresBin].filter(Boolean).join(delimiter)
  return {
    ...Object.fromEntries(kept),
    PATH: path,
    HOME: state,
    XDG_CACHE_HOME: join(state, 'cache'),
    XDG_DATA_HOME: join(state, 'data'),
    XDG_CONFIG_HOME: join(state, 'config'),
    // Every command of the CLI writes a credential helper into git's global configuration.
    GIT_CONFIG_GLOBAL: join(state, 'gitconfig'),
    ...platformHosts(target.apiUrl),
    ...(target.token !== '' && !target.byLogin && !login && { HEROKU_API_KEY: target.token }),
  }
}

/** The CLI's entry file, fetched from npm at first use: aside, then into place. */
async function ensureCli(folder: string): Promise<string> {
  const entry = join(folder, herokuVersion, 'node_modules/heroku/bin/run.js')
  const present = await access(entry).then(
    () => true,
    () => false,
  )
  if (present) return entry
  await usableFolder(folder, 0o755, 'PLEXUS_HEROKU_CLI')
  const fresh = join(folder, `${herokuVersion}.${process.pid}`)
  await mkdir(fresh, { recursive: true })
  await writeFile(join(fresh, 'package.json'), '{"private":true}\n')
  const begin = Date.now()
  const seconds = (): number => Math.round((Date.now() - begin) / 1000)
  say(`Fetching the official Heroku CLI (npm heroku@${herokuVersion}) into ${folder}, once …`)
  const timer = setInterval(() => say(`  … at it for ${seconds()} s`), progressEveryMs)
  try {
    await run('npm', ['install', '--no-audit', '--no-fund', `heroku@${herokuVersion}`], {
      cwd: fresh,
      timeout: installTimeoutMs,
    })
    // Whoever was first has put the same thing there.
    await rename(fresh, join(folder, herokuVersion)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
  } finally {
    clearInterval(timer)
    await rm(fresh, { recursive: true, force: true })
  }
  say(`Fetched in ${seconds()} s.`)
  return entry
}

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}
