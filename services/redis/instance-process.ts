import { spawn, type ChildProcess } from 'node:child_process'
import { chown, mkdir, open, readFile, realpath, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { AddonId } from '#lib/ids.ts'
import { findInstances, instanceMark } from '#lib/redis-instances.ts'
import { writeWhole } from '#lib/whole-file.ts'
import { lookMs, startTimeoutMs, stopTimeoutMs } from './limits.ts'
import { probe, type ProbeResult } from './probe.ts'
import { redisConf, tlsFile, type InstanceSettings } from './redis-conf.ts'

// An instance is a redis-server process of its own, which outlives this one. Its folder:
//
//   <dir>/<add-on>/redis.conf   what it is started with, ours
//   <dir>/<add-on>/redis.log    what it said since its start; .1 before that
//   <dir>/<add-on>/data/        its working folder, its own
//
// It is recognised by the add-on's id in its command line, and by our password and its folder
// when it is asked. Its port keeps a second one from starting on the same data: a Redis takes the
// port before it touches its files.

/** An instance as a process needs it. */
export type Instance = InstanceSettings & { addonId: AddonId }

/** Where instances are and which program they run. */
export type InstanceHost = { dir: string; redisServer: string }

/** As root an instance runs as nobody, and reads its configuration through an open file. */
const nobody = { uid: 65_534, gid: 65_534 }

const folderOf = (host: InstanceHost, addonId: AddonId): string => join(host.dir, addonId)

/** Who answers at the instance's port. */
export async function probeInstance(host: InstanceHost, instance: Instance): Promise<ProbeResult> {
  const folder = join(folderOf(host, instance.addonId), 'data')
  const dataDir = await realpath(folder).catch(() => folder)
  return probe({ port: instance.port, adminPassword: instance.adminPassword, dataDir })
}

/**
 * Leaves the instance running: adopts the process that is there, or starts one on its data.
 *
 * @returns 'port-taken' when somebody else has a port of its. Throws when it could not be started, and
 * when its process is there but does not answer: it is then left alone.
 */
export async function ensureRunning(
  host: InstanceHost,
  instance: Instance,
): Promise<'adopted' | 'started' | 'port-taken'> {
  const found = await probeInstance(host, instance)
  if (found === 'ours') return 'adopted'
  if (found !== 'nobody') {
    const pids = findInstanceProcesses(host, instance.addonId)
    if (found === 'foreign' || pids.length === 0) return 'port-taken'
    if (found === 'full') return 'adopted'
    throw new Error(`process ${pids.join(', ')} has the port ${instance.port} and does not answer`)
  }
  await prepareFolder(host, instance)
  return startProcess(host, instance)
}

async function prepareFolder(host: InstanceHost, instance: Instance): Promise<void> {
  const folder = folderOf(host, instance.addonId)
  const data = join(folder, 'data')
  await mkdir(host.dir, { recursive: true, mode: 0o700 })
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await mkdir(data, { recursive: true, mode: 0o700 })
  if (isRoot()) await chown(data, nobody.uid, nobody.gid)
  await writeConf(host, instance)
}

/** Writes what the instance is started with into its folder, each file whole or not at all. */
export async function writeConf(host: InstanceHost, instance: Instance): Promise<void> {
  const folder = folderOf(host, instance.addonId)
  if (instance.tls) {
    // Its own copy of the key, made where only we write: in its folder a link could lead elsewhere.
    const owned = { mode: 0o600, madeIn: folder, ...(isRoot() && { owner: nobody }) }
    await writeWhole(join(folder, 'data', tlsFile), instance.tls.pem, owned)
  }
  await writeWhole(join(folder, 'redis.conf'), redisConf(instance), { mode: 0o600 })
}

const isRoot = (): boolean => process.getuid?.() === 0

async function startProcess(
  host: InstanceHost,
  instance: Instance,
): Promise<'started' | 'port-taken'> {
  const folder = folderOf(host, instance.addonId)
  const log = join(folder, 'redis.log')
  await rename(log, `${log}.1`).catch(() => undefined)
  const conf = await open(join(folder, 'redis.conf'), 'r')
  const output = await open(log, 'a', 0o600)
  let child: ChildProcess
  try {
    // The configuration comes from stdin: the process need not be able to reach our folders, only
    // its working folder, which it is put into.
    child = spawn(
      host.redisServer,
      ['-', '--proc-title-template', `{title} {listen-addr} ${instanceMark(instance.addonId)}`],
      {
        cwd: join(folder, 'data'),
        env: { LANG: 'C.UTF-8' },
        detached: true,
        stdio: [conf.fd, output.fd, output.fd],
        ...(isRoot() && nobody),
      },
    )
  } finally {
    await conf.close()
    await output.close()
  }
  child.unref()
  let failure: Error | undefined
  child.once('error', (error) => (failure = error))
  const end = Date.now() + startTimeoutMs
  for (;;) {
    const found = await probeInstance(host, instance)
    if (found === 'ours' || found === 'full') return 'started'
    if (found === 'foreign') return 'port-taken'
    if (failure) throw failure
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > end) {
      const said = await tail(log)
      // Only this port was looked at: the one for TLS may be somebody else's as well.
      if (said.includes('Failed listening on port')) return 'port-taken'
      throw new Error(`redis-server did not start: ${said}`)
    }
    await delay(lookMs)
  }
}

async function tail(file: string): Promise<string> {
  const lines = (await readFile(file, 'utf8').catch(() => '')).trimEnd().split('\n')
  return lines.slice(-5).join('\n')
}

/**
 * Stops the instance's process, its data written out, and returns when it has ended. Without a
 * process, nothing. By signal, which does what SHUTDOWN does and needs no free connection.
 */
export async function stopInstance(host: InstanceHost, addonId: AddonId): Promise<void> {
  const startMs = Date.now()
  let signalled = false
  for (;;) {
    const pids = findInstanceProcesses(host, addonId)
    if (pids.length === 0) return
    const waitedMs = Date.now() - startMs
    if (waitedMs > 2 * stopTimeoutMs)
      throw new Error(`processes ${pids.join(', ')} do not end, not even when killed`)
    for (const pid of pids) {
      if (!signalled) sendSignal(pid, 'SIGTERM')
      else if (waitedMs > stopTimeoutMs) sendSignal(pid, 'SIGKILL')
    }
    signalled = true
    await delay(lookMs)
  }
}

/** The instance's server and what it forked, by its command line. */
function findInstanceProcesses(host: InstanceHost, addonId: AddonId): number[] {
  return findInstances([addonId], { program: host.redisServer }).map(({ pid }) => pid)
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    // It ended in between.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Removes everything that the instance kept. Without a folder, nothing. */
export async function removeFolder(host: InstanceHost, addonId: AddonId): Promise<void> {
  await rm(folderOf(host, addonId), { recursive: true, force: true })
}
