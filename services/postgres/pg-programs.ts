import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { TransferLogin } from './addon-server.ts'
import { programOutputBytesMax, transferLockWaitMs } from './limits.ts'

// pg_dump and pg_restore as child processes. Their data goes through pipes of ours: when this
// process dies a dump finds the pipe's other end gone, and ends as well. A restore that has read
// everything goes on, until the next run ends its role (transfer-work.ts).

type Programs = { binDir: string; login: TransferLogin; signal: AbortSignal }

/** How a program ended, and the last that it said. */
type Ended = { code: number | null; said: string[] }

/** The login stands in the environment, which only our own user can read, and in no argument. */
function environment({ host, port, user, password, database, options }: TransferLogin) {
  return {
    ...{ PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password },
    ...{ PGDATABASE: database, PGOPTIONS: options, PGAPPNAME: 'plexus transfer' },
    ...{ PGCONNECT_TIMEOUT: '10', LC_ALL: 'C', PATH: '/usr/bin:/bin' },
  }
}

function run(program: string, args: string[], { binDir, login, signal }: Programs) {
  signal.throwIfAborted()
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn(
    join(binDir, program),
    ['--no-password', ...args],
    { cwd: '/', env: environment(login), stdio: ['pipe', 'pipe', 'pipe'] },
  )
  const kill = (): void => void child.kill('SIGKILL')
  signal.addEventListener('abort', kill)
  let said = ''
  child.stderr.on('data', (bytes: Buffer) => {
    said = (said + bytes.toString('utf8')).slice(-programOutputBytesMax)
  })
  const ended = new Promise<Ended>((done, failed) => {
    child.once('error', failed)
    child.once('close', (code) =>
      done({ code, said: said.split('\n').filter((line) => line.trim() !== '') }),
    )
  }).finally(() => signal.removeEventListener('abort', kill))
  // Whoever reads its output first gets to know of its end by that.
  ended.catch(() => undefined)
  return { child, ended, kill }
}

/**
 * Dumps, in pg_dump's custom format, what that snapshot sees and the login may read; `write` takes
 * the bytes. Throws with the program's last words when it fails.
 */
export async function dump<T>(
  options: Programs & { snapshot: string },
  write: (bytes: AsyncIterable<Buffer>) => Promise<T>,
): Promise<T> {
  const args = ['--format=custom', `--snapshot=${options.snapshot}`]
  args.push(`--lock-wait-timeout=${transferLockWaitMs}`)
  const { child, ended, kill } = run('pg_dump', args, options)
  child.stdin.end()
  async function* bytes(): AsyncIterable<Buffer> {
    for await (const chunk of child.stdout) yield chunk as Buffer
    // What a failed dump has written is not whole: its reader must not take it for that.
    const { code, said } = await ended
    options.signal.throwIfAborted()
    if (code !== 0) throw new Error(said.slice(-3).join(' ') || `pg_dump ended with ${code}`)
  }
  try {
    return await write(bytes())
  } finally {
    kill()
    await ended.catch(() => undefined)
  }
}

export type Restored = {
  /** Statements that failed. */
  warnings: number
  /** It read the dump to its end. */
  complete: boolean
  said: string[]
}

/**
 * Restores a dump as the login, who becomes the owner of everything; rights of others are left out.
 * A statement that fails is counted and the next one comes, as pg_restore does it.
 */
export async function restore(
  options: Programs & { source: AsyncIterable<Buffer> },
): Promise<Restored> {
  const args = ['--no-owner', '--no-acl', `--dbname=${options.login.database}`]
  const { child, ended, kill } = run('pg_restore', args, options)
  child.stdout.resume()
  try {
    const [, { code, said }] = await Promise.all([feed(options.source, child.stdin), ended])
    options.signal.throwIfAborted()
    const ignored = said.map((line) => /errors ignored on restore: (\d+)/.exec(line)?.[1])
    const warnings = Number(ignored.find((count) => count !== undefined) ?? 0)
    return { warnings, complete: code === 0 || warnings > 0, said }
  } finally {
    kill()
    await ended.catch(() => undefined)
  }
}

/** A program that reads no more has ended, and says by itself why. */
async function feed(source: AsyncIterable<Buffer>, stdin: Writable): Promise<void> {
  try {
    await pipeline(source, stdin)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EPIPE' && code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  }
}
