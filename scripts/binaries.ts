import { access, constants, readdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

/** Programs that Plexus runs and does not bring itself. */
export type Binaries = {
  natsServer: string
  redisServer: string
  /** Folder with initdb, postgres and psql. */
  postgresBin: string
}

/** Finds what the machine has; a missing one is undefined. */
export async function findBinaries(env: NodeJS.ProcessEnv): Promise<Partial<Binaries>> {
  const [natsServer, redisServer, postgresBin] = await Promise.all([
    findInPath('nats-server', env),
    findInPath('redis-server', env),
    findPostgres(),
  ])
  return {
    ...(natsServer && { natsServer }),
    ...(redisServer && { redisServer }),
    ...(postgresBin && { postgresBin }),
  }
}

async function findInPath(program: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const folders = [...(env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  for (const folder of folders) {
    const file = join(folder, program)
    if (await isExecutable(file)) return file
  }
  return undefined
}

/** Debian keeps PostgreSQL's server programs out of the PATH, a folder per version. */
async function findPostgres(): Promise<string | undefined> {
  const root = '/usr/lib/postgresql'
  const versions = await readdir(root).catch(() => [])
  for (const version of versions.toSorted((a, b) => Number(b) - Number(a))) {
    const folder = join(root, version, 'bin')
    if (await isExecutable(join(folder, 'initdb'))) return folder
  }
  return undefined
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
}
