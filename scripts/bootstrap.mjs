// Runs on any Node from 20 on, before anything is installed: plain JavaScript, no packages.
import { execFileSync, spawn } from 'node:child_process'
import {
  accessSync,
  constants as fsConstants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
} from 'node:fs'
import { constants } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withFolderLock } from './folder-lock.mjs'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
/** The first Node that runs our TypeScript as it is, import.meta.main included. */
const nodeNeeded = [24, 2]
/**
 * Where Node keeps what it has compiled: a command of ours then starts in half the time (0.27 s
 * instead of 0.53 s, medians of three), and the official CLI in 0.60 s instead of 0.85 s.
 */
const compileCache = process.env['NODE_COMPILE_CACHE'] ?? join(root, '.plexus/compile-cache')
const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP']

/**
 * Makes sure of the npm packages and of Node 24, then runs a TypeScript file of ours with the
 * arguments given and ends as it ends.
 */
export async function runTypeScript(file, args) {
  const [major] = process.versions.node.split('.').map(Number)
  if (major < 20)
    throw new Error(`Node ${process.versions.node} is too old: install Node 20 or newer.`)
  if (!packagesAreCurrent()) {
    assertWritable()
    await withFolderLock(
      join(root, '.plexus/npm-ci.lock'),
      (pid) => say(`Process ${pid} is installing the npm packages: waiting for it …`),
      // Whoever was first has installed them for us as well.
      async (nameChild) => packagesAreCurrent() || installPackages(nameChild),
    )
  }
  linkCommand()
  const node = findNode()
  const child = spawn(node, ['--disable-warning=ExperimentalWarning', join(root, file), ...args], {
    stdio: 'inherit',
    env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
  })
  for (const signal of forwarded) process.on(signal, () => child.kill(signal))
  const status = await new Promise((done, failed) => {
    child.once('error', failed)
    child.once('exit', (code, signal) => done(code ?? 128 + constants.signals[signal]))
  })
  process.exit(status)
}

/** True when node_modules holds what package-lock.json says, read from npm's own record of it. */
function packagesAreCurrent() {
  const record = join(root, 'node_modules/.package-lock.json')
  if (!existsSync(record)) return false
  const { packages: wanted } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  const { packages: present } = JSON.parse(readFileSync(record, 'utf8'))
  return Object.entries(wanted).every(([path, { version, optional, devOptional, peer }]) => {
    if (path === '') return true
    const there = present[path]
    return there ? there.version === version : Boolean(optional || devOptional || peer)
  })
}

/** In one sentence what npm would need a page for. */
function assertWritable() {
  try {
    accessSync(root, fsConstants.W_OK)
  } catch (error) {
    throw new Error(
      `The npm packages cannot be installed: ${root} cannot be written (${error.code}). ` +
        'Run it as the owner of that folder, or in a clone of your own.',
      { cause: error },
    )
  }
}

async function installPackages(nameChild) {
  const begin = Date.now()
  const seconds = () => Math.round((Date.now() - begin) / 1000)
  say('Installing npm packages into node_modules (npm ci) …')
  const timer = setInterval(() => say(`  … npm ci has been at work for ${seconds()} s`), 10_000)
  const npmScript = process.env['npm_execpath']
  const [command, ...before] =
    npmScript && /npm-cli\.c?js$/.test(npmScript) ? [process.execPath, npmScript] : ['npm']
  const args = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund']
  // Its warnings (this Node is older than a package wishes, which the Node that it brings is not)
  // are nothing to act upon; its errors are shown in full.
  args.push('--loglevel=error')
  const status = await new Promise((done, failed) => {
    // npm's own words go to stderr: stdout belongs to the command that is about to run.
    const npm = spawn(command, [...before, ...args], { cwd: root, stdio: ['ignore', 2, 2] })
    if (npm.pid) nameChild(npm.pid)
    for (const signal of forwarded) process.once(signal, () => npm.kill(signal))
    npm.once('error', (error) =>
      failed(new Error(`npm could not be started (${error.message}): install npm.`)),
    )
    npm.once('exit', done)
  })
  for (const signal of forwarded) process.removeAllListeners(signal)
  clearInterval(timer)
  if (status !== 0) throw new Error('npm ci failed, see above. Put that right and start again.')
  say(`npm packages installed in ${seconds()} s.`)
}

/** Lets `npx plexus` find the command at once, without asking the registry. */
function linkCommand() {
  const folder = join(root, 'node_modules/.bin')
  const link = join(folder, 'plexus')
  if (existsSync(link)) return
  try {
    mkdirSync(folder, { recursive: true })
    symlinkSync('../../bin/plexus', link)
  } catch (error) {
    // Another start made it first, or the folder is read-only: npx then finds its own way.
    if (error.code !== 'EEXIST') say(`plexus was not linked into node_modules: ${error.message}`)
  }
}

/** A Node that is new enough: this one, the one that npm brought, or Homebrew's. */
function findNode() {
  if (isNewEnough(process.versions.node)) return process.execPath
  const modules = join(root, 'node_modules')
  const brought = readdirSync(modules)
    .filter((name) => name.startsWith('node-'))
    .map((name) => join(modules, name, 'bin/node'))
  const brewed = ['/opt/homebrew', '/usr/local'].flatMap((prefix) => [
    `${prefix}/opt/node@24/bin/node`,
    `${prefix}/bin/node`,
  ])
  const found = [...brought, ...brewed].find((file) => existsSync(file) && runsAsNeeded(file))
  if (found) return found
  const hint =
    process.platform === 'darwin'
      ? 'brew install node@24'
      : 'install it from https://nodejs.org, or use docker compose'
  throw new Error(
    `Plexus needs Node ${nodeNeeded.join('.')} or newer, this is ${process.versions.node}: ${hint}.`,
  )
}

function runsAsNeeded(file) {
  try {
    return isNewEnough(execFileSync(file, ['--version'], { encoding: 'utf8' }).trim().slice(1))
  } catch {
    // Made for another system (musl, another processor): not this one.
    return false
  }
}

function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number)
  return major > nodeNeeded[0] || (major === nodeNeeded[0] && minor >= nodeNeeded[1])
}

function say(text) {
  process.stderr.write(`${text}\n`)
}

// `node scripts/bootstrap.mjs <file.ts> …` runs any TypeScript file of ours in the same way.
if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [file, ...args] = process.argv.slice(2)
  runTypeScript(file, args).catch((error) => {
    say(`plexus: ${error.message}`)
    process.exitCode = 1
  })
}
