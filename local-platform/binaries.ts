import { access, constants, readdir, realpath } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'

/** Programs that Plexus runs and does not bring itself. */
export type Binaries = {
  natsServer: string
  redisServer: string
  /** Folder with initdb, postgres, psql, pg_dump and pg_restore. */
  postgresBin: string
}

const postgresVersionMin = 14

/**
 * The folder for programs fetched for Plexus alone: PLEXUS_ENGINES, or `engines` under PLEXUS_HOME.
 */
export function enginesFolder(env: NodeJS.ProcessEnv): string {
  const home = env['PLEXUS_HOME'] || resolve(import.meta.dirname, '../.plexus')
  return resolve(env['PLEXUS_ENGINES'] || join(home, 'engines'))
}

/** Where fetched programs are; the real path, for a link may stand where not everybody can go. */
export async function fetchedPrograms(env: NodeJS.ProcessEnv): Promise<string> {
  const folder = join(enginesFolder(env), 'bin')
  return realpath(folder).catch(() => folder)
}

/**
 * Finds the machine's programs, and where it has none those fetched before; a missing one is
 * undefined. With PLEXUS_SYSTEM_ENGINES=no the machine's own are not looked at.
 */
export async function findBinaries(env: NodeJS.ProcessEnv): Promise<Partial<Binaries>> {
  const fetched = await fetchedPrograms(env)
  const useSystem = env['PLEXUS_SYSTEM_ENGINES'] !== 'no'
  const folders = [...(useSystem ? systemFolders(env) : []), fetched]
  const postgresFolders = [...(useSystem ? await postgresServerFolders() : []), fetched]
  const [natsServer, redisServer, postgresBin] = await Promise.all([
    findProgram('nats-server', folders),
    findProgram('redis-server', folders),
    findFolderOf(['initdb', 'pg_restore'], postgresFolders),
  ])
  return {
    ...(natsServer && { natsServer }),
    ...(redisServer && { redisServer }),
    ...(postgresBin && { postgresBin }),
  }
}

/** Where this machine's programs are, the PATH first. */
export function systemFolders(env: NodeJS.ProcessEnv): string[] {
  return [
    ...(env['PATH'] ?? '').split(delimiter).filter(Boolean),
    '/usr/sbin',
    '/usr/local/sbin',
    '/usr/local/bin',
    '/opt/homebrew/bin',
  ]
}

/** Debian and Homebrew keep PostgreSQL's server programs out of the PATH, a folder per version. */
async function postgresServerFolders(): Promise<string[]> {
  const debian = await versionFolders('/usr/lib/postgresql', /^(\d+)$/)
  const arm = await versionFolders('/opt/homebrew/opt', /^postgresql@(\d+)$/)
  const intel = await versionFolders('/usr/local/opt', /^postgresql@(\d+)$/)
  return [...debian, ...arm, ...intel].map((folder) => join(folder, 'bin'))
}

async function versionFolders(root: string, pattern: RegExp): Promise<string[]> {
  const names = await readdir(root).catch(() => [])
  return names
    .map((name) => ({ folder: join(root, name), version: Number(pattern.exec(name)?.[1] ?? 0) }))
    .filter(({ version }) => version >= postgresVersionMin)
    .toSorted((a, b) => b.version - a.version)
    .map(({ folder }) => folder)
}

/** The program's path in the first of the folders that has it. */
export async function findProgram(program: string, folders: string[]): Promise<string | undefined> {
  const folder = await findFolderOf([program], folders)
  return folder && join(folder, program)
}

async function findFolderOf(programs: string[], folders: string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const files = programs.map((program) => isExecutable(join(folder, program)))
    if (!(await Promise.all(files)).includes(false)) return folder
  }
  return undefined
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}
