import { execFile } from 'node:child_process'
import { access, chown, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { writeWhole } from '#lib/whole-file.ts'
import { isZombie } from '../supervisor/process-record.ts'
import { startEngine, type Engine, type EngineFiles } from './engine.ts'

const run = promisify(execFile)

const leavingMs = 10_000
const leavingProbeMs = 200
/** Above every system's highest process id. */
const pidOfNobody = 2 ** 31 - 1

/**
 * For the server of the add-ons' databases: what it has connections for bounds how many add-ons
 * there can be (a connection costs memory only while it is open), and some are kept for the
 * provider. docker-compose.yml says the same.
 */
export const addonServerSettings = ['max_connections=1000', 'superuser_reserved_connections=20']

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
  /** Key and certificate (PEM): whoever wants to, speaks TLS with it. */
  certificate?: string | undefined
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
  await forgetDeadPostmaster(data)
  const settings = [...(options.settings ?? []), ...(await certificateSettings(options))]
  const start = (): Promise<Engine> =>
    startEngine({
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
        ...settings.flatMap((setting) => ['-c', setting]),
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
  const end = Date.now() + leavingMs
  for (;;) {
    try {
      return await start()
    } catch (error) {
      // Sessions of a server that was killed leave by themselves; until then it is not safe to start.
      if (!(error as Error).message.includes('still in use') || Date.now() > end) throw error
      await delay(leavingProbeMs)
    }
  }
}

/** The server's own copy of its key: PostgreSQL refuses one that others own, or can read. */
async function certificateSettings(options: PostgresOptions): Promise<string[]> {
  const { dir, user, certificate } = options
  if (certificate === undefined) return []
  const file = join(dir, 'server.pem')
  await writeWhole(file, certificate, { mode: 0o600, owner: user })
  return ['ssl=on', `ssl_cert_file=${file}`, `ssl_key_file=${file}`]
}

/**
 * A killed server that nobody has reaped (a zombie, in a container for ever) still counts as alive
 * for PostgreSQL, which then refuses to start. The id in its lock file becomes one that no process
 * can have; all else stays, for PostgreSQL goes on to check that no session is left.
 */
async function forgetDeadPostmaster(data: string): Promise<void> {
  const file = join(data, 'postmaster.pid')
  const [pid = '', ...rest] = (await readFile(file, 'utf8').catch(() => '')).split('\n')
  if (pid === '' || !isZombie(Math.abs(Number(pid)))) return
  const handle = await open(file, 'r+')
  try {
    await handle.truncate()
    await handle.write([String(pidOfNobody), ...rest].join('\n'), 0)
  } finally {
    await handle.close()
  }
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
