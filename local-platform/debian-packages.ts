import { execFile } from 'node:child_process'
import { chmod, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

type Say = (text: string) => void
/** Runs an apt-get with the options of one view of the archive. */
type Apt = (args: string[], cwd?: string) => Promise<string>

const aptTimeoutMs = 10 * 60_000
const downloadsAtOnce = 12
const outputBytesMax = 64 * 1024 * 1024

// What runs: the programs and the libraries they load. Scripts that set up system services, Perl,
// the C library itself and PostgreSQL's just-in-time compiler (switched off) stay out.
const wanted =
  /^(nats-server|redis-(server|tools)|rsyslog|syslog-ng-core|postgresql(-client)?-\d+|lib[a-z0-9].*)$/
const unwanted = /^(libc6|libc-bin|libc-l10n|libcrypt1|libllvm.*|libperl.*|lib.*-perl|libpam-.*)$/

/**
 * Fetches Debian or Ubuntu packages with those that they need and unpacks them under `folder`,
 * without root and without touching the system: apt-get only resolves and downloads, dpkg only
 * unpacks. The programs are then in `<folder>/bin`, as wrappers that find their own libraries.
 * Killed at any moment it leaves either nothing that counts or all of it.
 */
export async function fetchDebianPackages(options: {
  packages: string[]
  folder: string
  ignoreInstalled: boolean
  say: Say
}): Promise<void> {
  const { packages, folder, say } = options
  const work = `${folder}.new`
  const debs = join(folder, '../engines-downloads')
  await mkdir(debs, { recursive: true, mode: 0o711 })
  say(`Missing here: ${packages.join(', ')}. They are fetched for Plexus alone, into ${folder};`)
  say('  nothing is installed in the system and no system service is started.')
  const { names, apt } = await resolve(options, join(folder, '../engines-apt'))
  await download(names, debs, apt, say)
  await rm(work, { recursive: true, force: true })
  await mkdir(join(work, 'root'), { recursive: true })
  const files = (await readdir(debs)).filter((file) => file.endsWith('.deb'))
  for (const file of files) await run('dpkg', ['-x', join(debs, file), join(work, 'root')])
  await chmod(join(work, 'root'), 0o755)
  await chmod(work, 0o755)
  await writeWrappers(work)
  await rm(folder, { recursive: true, force: true })
  await rename(work, folder)
  await rm(debs, { recursive: true, force: true })
  say(`  unpacked ${files.length} packages.`)
}

/**
 * The packages to fetch, by the system's lists, or by fresh private ones where those will not do.
 */
async function resolve(
  { packages, ignoreInstalled, say }: { packages: string[]; ignoreInstalled: boolean; say: Say },
  privateState: string,
): Promise<{ names: string[]; apt: Apt }> {
  const status = ignoreInstalled ? ['-o', 'Dir::State::status=/dev/null'] : []
  const system = aptWith(status)
  try {
    const names = await simulate(packages, system)
    await system(['--print-uris', 'download', ...names])
    return { names, apt: system }
  } catch {
    say("  the system's package lists will not do (none, or too old): fetching private ones …")
  }
  const lists = join(privateState, 'lists')
  const cache = join(privateState, 'cache')
  await mkdir(join(lists, 'partial'), { recursive: true })
  await mkdir(join(cache, 'archives/partial'), { recursive: true })
  const own = aptWith([...status, '-o', `Dir::State::Lists=${lists}`, '-o', `Dir::Cache=${cache}`])
  await own(['update'])
  return { names: await simulate(packages, own), apt: own }
}

function aptWith(options: string[]): Apt {
  const quiet = ['-q', '-o', 'Debug::NoLocking=1', '-o', 'APT::Sandbox::User=root']
  return async (args, cwd) => {
    const env = { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' }
    const { stdout } = await run('apt-get', [...quiet, ...options, ...args], {
      cwd: cwd ?? '/',
      env,
      timeout: aptTimeoutMs,
      maxBuffer: outputBytesMax,
    })
    return stdout
  }
}

async function simulate(packages: string[], apt: Apt): Promise<string[]> {
  const plan = await apt(['-s', '--no-install-recommends', 'install', ...packages])
  const names = [...plan.matchAll(/^Inst (\S+)/gm)].map(([, name = '']) => name)
  return names.filter((name) => wanted.test(name) && !unwanted.test(name))
}

async function download(names: string[], folder: string, apt: Apt, say: Say): Promise<void> {
  const uris = await apt(['--print-uris', 'download', ...names])
  const sizes = new Map(
    [...uris.matchAll(/^'\S+' (\S+) (\d+)/gm)].map(([, file = '', size]) => [file, Number(size)]),
  )
  const total = megabytes([...sizes.values()])
  say(`  downloading ${names.length} packages, ${total} MB …`)
  const present = async (): Promise<string[]> =>
    (await readdir(folder)).filter((file) => sizes.has(file))
  // A start that was killed goes on with the packages that are still missing.
  const before = new Set((await present()).map(packageName))
  const missing = names.filter((name) => !before.has(name))
  const partial = join(folder, 'partial')
  while (missing.length > 0) {
    await rm(partial, { recursive: true, force: true })
    await mkdir(partial)
    await apt(['download', ...missing.splice(0, downloadsAtOnce)], partial)
    for (const file of await readdir(partial)) await rename(join(partial, file), join(folder, file))
    const done = (await present()).map((file) => sizes.get(file) ?? 0)
    say(`  … ${megabytes(done)} of ${total} MB`)
  }
}

/** "redis-tools_5%3a7.0.15-1_amd64.deb" is a file of the package redis-tools. */
function packageName(file: string): string {
  return file.slice(0, file.indexOf('_'))
}

function megabytes(sizes: number[]): string {
  return (sizes.reduce((sum, size) => sum + size, 0) / 1_000_000).toFixed(1)
}

/** A small script per program, so that a path is all that anybody needs to run it. */
async function writeWrappers(folder: string): Promise<void> {
  const root = join(folder, 'root')
  const libraries = [
    ...(await libraryFolders(root, 'usr/lib')),
    ...(await libraryFolders(root, 'lib')),
    ...(await syslogNgFolder(root)),
  ]
  const path = libraries.map((library) => `$root/${library}`).join(':')
  await mkdir(join(folder, 'bin'), { mode: 0o755 })
  for (const [program, file] of await findPrograms(root)) {
    const script = [
      '#!/bin/sh',
      'root=$(dirname "$(dirname "$(readlink -f "$0")")")/root',
      `LD_LIBRARY_PATH="${path}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"`,
      'export LD_LIBRARY_PATH',
      ...(await moduleFolder(root, program)),
      `exec "$root/${file}" ${await moduleArguments(root, program)}"$@"`,
    ]
    await writeFile(join(folder, 'bin', program), `${script.join('\n')}\n`, { mode: 0o755 })
  }
}

/** Programs that load modules look for them in the system, unless they are told. */
async function moduleFolder(root: string, program: string): Promise<string[]> {
  if (program !== 'rsyslogd') return []
  const [library] = await libraryFolders(root, 'usr/lib')
  return [`export RSYSLOG_MODDIR="$root/${library}/rsyslog"`]
}

/** The same for those that are told by an argument, which later ones add to. */
async function moduleArguments(root: string, program: string): Promise<string> {
  if (program !== 'syslog-ng') return ''
  const [library = ''] = await syslogNgFolder(root)
  const version = (await readdir(join(root, library))).find((name) => /^\d/.test(name))
  return `--module-path="$root/${library}/${version}" `
}

/** Beside its modules it keeps a library of its own there. */
async function syslogNgFolder(root: string): Promise<string[]> {
  const names = await readdir(join(root, 'usr/lib')).catch(() => [])
  return names.filter((name) => name === 'syslog-ng').map((name) => `usr/lib/${name}`)
}

async function libraryFolders(root: string, base: string): Promise<string[]> {
  const names = await readdir(join(root, base)).catch(() => [])
  return names.filter((name) => /-linux-/.test(name)).map((name) => `${base}/${name}`)
}

async function findPrograms(root: string): Promise<[program: string, file: string][]> {
  const found: [string, string][] = []
  for (const folder of ['usr/sbin', 'usr/bin']) {
    for (const name of await readdir(join(root, folder)).catch(() => []))
      if (/^(nats-server|redis-server|redis-cli|rsyslogd|syslog-ng)$/.test(name))
        found.push([name, `${folder}/${name}`])
  }
  const versions = await readdir(join(root, 'usr/lib/postgresql')).catch(() => [])
  const [newest] = versions.toSorted((a, b) => Number(b) - Number(a))
  if (newest === undefined) return found
  const bin = `usr/lib/postgresql/${newest}/bin`
  for (const name of ['initdb', 'postgres', 'psql', 'pg_dump', 'pg_restore'])
    found.push([name, `${bin}/${name}`])
  return found
}
