import { execFile } from 'node:child_process'
import { access, chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startEngine, type Engine, type EngineFiles } from './engine.ts'

const run = promisify(execFile)

export type PostgresOptions = {
  name: string
  /** Folder of initdb and postgres. */
  binDir: string
  dir: string
  port: number
  superuser: string
  password: string
  /** Whom it runs as; needed for root, whom PostgreSQL refuses. */
  user?: { uid: number; gid: number } | undefined
  settings?: string[]
  files?: EngineFiles
}

/**
 * Starts a PostgreSQL server of our own under `dir`, made at the first start: only on this
 * machine, passwords for everybody (SCRAM).
 */
export async function startPostgres(options: PostgresOptions): Promise<Engine> {
  const { name, binDir, dir, port, user, files = {} } = options
  const data = join(dir, 'data')
  await mkdir(dir, { recursive: true, mode: 0o711 })
  if (user) await chown(dir, user.uid, user.gid)
  const exists = await access(join(data, 'PG_VERSION')).then(
    () => true,
    () => false,
  )
  if (!exists) await initialise(options, data)
  return startEngine({
    name,
    command: join(binDir, 'postgres'),
    args: [
      '-D',
      data,
      '-p',
      String(port),
      '-c',
      'listen_addresses=localhost',
      '-c',
      'unix_socket_directories=',
      '-c',
      'max_connections=200',
      // Its compiler is not among the programs that are fetched, and our queries are short.
      '-c',
      'jit=off',
      ...(options.settings ?? []).flatMap((setting) => ['-c', setting]),
    ],
    logFile: files.logFile ?? join(dir, 'postgres.log'),
    pidFile: files.pidFile ?? join(dir, 'postgres.pid'),
    port,
    // While it starts or recovers, its port answers and refuses everybody.
    isServing: () => saysReady(join(data, 'postmaster.pid')),
    // Fast shutdown: open sessions are ended, nothing committed is lost.
    stopSignal: 'SIGINT',
    user,
  })
}

/** The file's last line is the server's status, as pg_ctl reads it. */
async function saysReady(statusFile: string): Promise<boolean> {
  const status = await readFile(statusFile, 'utf8').catch(() => '')
  return status.trimEnd().split('\n').at(-1)?.trim() === 'ready'
}

/** Makes the cluster aside and moves it into place: a crash half way leaves none. */
async function initialise(options: PostgresOptions, data: string): Promise<void> {
  const { binDir, dir, user, superuser, password } = options
  const fresh = join(dir, 'data.new')
  const passwordFile = join(dir, 'password.new')
  await rm(fresh, { recursive: true, force: true })
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (user) await chown(passwordFile, user.uid, user.gid)
  try {
    await run(
      join(binDir, 'initdb'),
      [
        '-D',
        fresh,
        '-U',
        superuser,
        '--pwfile',
        passwordFile,
        '-A',
        'scram-sha-256',
        '-E',
        'UTF8',
        '--locale',
        'C.UTF-8',
        '--no-instructions',
      ],
      { cwd: '/', env: { PATH: process.env['PATH'] ?? '' }, ...user },
    )
  } finally {
    await rm(passwordFile, { force: true })
  }
  await rename(fresh, data)
}
