import { execFileSync, spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import { closeSync, openSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** What to run, and the file that remembers its process id for whoever starts after a crash. */
export type RecordedCommand = {
  pidFile: string
  command: string
  args: string[]
  env: NodeJS.ProcessEnv
  cwd: string
  stdio: ['ignore' | 'pipe', number | 'pipe', number | 'pipe']
  user?: { uid: number; gid: number } | undefined
}

const clockToleranceMs = 1_000
const probeMs = 20
/** A killed process may wait for a disk; one that takes longer hangs in the system itself. */
const killedMsMax = 10_000

/**
 * Starts a program in a process group of its own, so that Ctrl-C reaches only us. The process
 * writes its own id before it becomes the program: there is no moment at which it runs unrecorded.
 * What it makes is for its own user only.
 */
export function spawnRecorded(options: RecordedCommand): ChildProcess {
  const { pidFile, command, args, env, cwd, user } = options
  const record = openSync(pidFile, 'w')
  try {
    const stdio: StdioOptions = [...options.stdio, record]
    const script = 'umask 077; echo $$ >&3; exec "$@" 3>&-'
    return spawn('/bin/sh', ['-c', script, 'sh', command, ...args], {
      env,
      cwd,
      stdio,
      detached: true,
      ...user,
    })
  } finally {
    closeSync(record)
  }
}

/** Names of the records in a folder: "nats" for nats.pid. */
export function recordedNames(folder: string): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.pid'))
    .map((file) => basename(file, '.pid'))
}

/**
 * Ends the process that a record tells of, if it still is that process: first with `signal`, after
 * `patienceMs` with SIGKILL. Answers whether there was one. The record is removed.
 */
export async function endRecorded(
  folder: string,
  name: string,
  signal: NodeJS.Signals,
  patienceMs: number,
): Promise<boolean> {
  const file = join(folder, `${name}.pid`)
  const pid = livingPid(file)
  if (pid !== undefined) await endProcess(pid, signal, patienceMs)
  rmSync(file, { force: true })
  return pid !== undefined
}

/**
 * Signals a process and waits for its end, with SIGKILL after `patienceMs`.
 *
 * @throws Error when it is there even `killedMs` after that.
 */
export async function endProcess(
  pid: number,
  signal: NodeJS.Signals,
  patienceMs: number,
  killedMs = killedMsMax,
): Promise<void> {
  signalProcess(pid, signal)
  const killAt = Date.now() + patienceMs
  while (isAlive(pid)) {
    if (Date.now() > killAt + killedMs)
      throw new Error(`process ${pid} does not end, not even when killed: look at what holds it`)
    if (Date.now() > killAt) signalProcess(pid, 'SIGKILL')
    await delay(probeMs)
  }
}

/**
 * The recorded process, if it lives. A process id is used again after its process has ended, but
 * whoever has it then began later than the record was written: such a one is never touched.
 */
export function livingPid(file: string): number | undefined {
  let pid: number
  let writtenAt: number
  try {
    pid = Number(readFileSync(file, 'utf8'))
    writtenAt = statSync(file).mtimeMs
  } catch {
    // No record.
    return undefined
  }
  if (!Number.isInteger(pid) || pid <= 1 || !isAlive(pid)) return undefined
  const startedAt = startTime(pid)
  if (startedAt === undefined || startedAt > writtenAt + clockToleranceMs) return undefined
  return pid
}

/** When a process began, in milliseconds since 1970; undefined when that cannot be told. */
function startTime(pid: number): number | undefined {
  try {
    if (process.platform !== 'linux') {
      const text = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' })
      return Date.parse(text.trim())
    }
    // Fields after the command, which is in parentheses and may hold anything; ticks of 1/100 s.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
    const bootedAt = /^btime (\d+)/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]
    return bootedAt === undefined ? undefined : Number(bootedAt) * 1000 + ticks * 10
  } catch {
    // It ended while we looked.
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  return !isZombie(pid)
}

/**
 * Whether a process has ended and nobody has asked how: in a container without an init process a
 * dead orphan stays in the table for ever.
 */
export function isZombie(pid: number): boolean {
  if (process.platform !== 'linux') return false
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')
  } catch {
    // There is no such process at all.
    return false
  }
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
