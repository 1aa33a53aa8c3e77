import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { basename, dirname, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '#lib/backoff.ts'
import { createLog, type Log } from '#lib/log.ts'
import { platformApi, type PlatformApi } from '../client/platform-api.ts'
import { endRecorded, spawnRecorded } from '../local-platform/supervisor/process-record.ts'
import { createLogShipper, type LogShipper } from './log-shipper.ts'

// The smallest dyno: runs one process with its app's config, ships its output to the app's log as
// app[web.1] and its own words as heroku[web.1], and runs it anew after every release.

type Dyno = {
  app: string
  port: string
  pidFile: string
  api: PlatformApi
  log: Log
  output: LogShipper
  manager: LogShipper
  stop: AbortSignal
}

type Release = { version: number }

const processName = 'web.1'
const entry = resolve(import.meta.dirname, 'app.ts')
const releaseCheckMs = 3_000
const restart = { firstMs: 500, maxMs: 20_000 }
const stableMs = 10_000
const exitTimeoutMs = 5_000
const closeTimeoutMs = 2_000

async function main(app: string, env: NodeJS.ProcessEnv): Promise<void> {
  const log = createLog('demo-dyno')
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => stop.abort())
  const { PLEXUS_API_URL, PLEXUS_API_TOKEN, DYNO_PORT, DYNO_PID_FILE } = env
  if (!PLEXUS_API_URL || !PLEXUS_API_TOKEN || !DYNO_PORT || !DYNO_PID_FILE)
    throw new Error('PLEXUS_API_URL, PLEXUS_API_TOKEN, DYNO_PORT and DYNO_PID_FILE must be set')
  const api = platformApi({ apiUrl: PLEXUS_API_URL, token: PLEXUS_API_TOKEN })
  const shipper = async (source: string, priority: number): Promise<LogShipper> => {
    const path = `/apps/${app}/log-tokens`
    const token = await api<{ log_input_url: string }>('POST', path, { body: { name: source } })
    const input = { url: token.log_input_url, source, priority }
    return createLogShipper(input, (text) => log.warn({ source }, text))
  }
  const dyno: Dyno = {
    app,
    port: DYNO_PORT,
    pidFile: DYNO_PID_FILE,
    api,
    log,
    output: await shipper('app', 190),
    manager: await shipper('heroku', 45),
    stop: stop.signal,
  }
  log.info('ready')
  await keepRunning(dyno)
  await Promise.all([dyno.output.close(closeTimeoutMs), dyno.manager.close(closeTimeoutMs)])
  // A connection kept alive is no reason to stay.
  process.exit(0)
}

async function keepRunning(dyno: Dyno): Promise<void> {
  let crashes = 0
  while (!dyno.stop.aborted) {
    const startedAt = Date.now()
    try {
      const crashed = await runOnce(dyno)
      crashes = crashed ? (Date.now() - startedAt > stableMs ? 1 : crashes + 1) : 0
    } catch (error) {
      dyno.log.warn({ err: error }, 'process could not be run')
      crashes++
    }
    if (crashes > 0)
      await delay(backoffMs(crashes, restart), undefined, { signal: dyno.stop }).catch(
        () => undefined,
      )
  }
}

/** One life of the process. Answers whether it ended by itself. */
async function runOnce(dyno: Dyno): Promise<boolean> {
  const { app, api, manager } = dyno
  const say = (text: string): void => manager.ship(processName, text)
  const version = await newestVersion(dyno)
  const config = await api<Record<string, string>>('GET', `/apps/${app}/config-vars`)
  say('Starting process with command `node demo/app.ts`')
  const child = await spawnApp(dyno, config)
  const ended = once(child, 'close')
  say('State changed from starting to up')
  const life = new AbortController()
  const over = AbortSignal.any([dyno.stop, life.signal])
  const wantsRestart = newerRelease(dyno, version, over)
  const reason = await Promise.race([ended.then(() => 'ended' as const), wantsRestart])
  life.abort()
  if (reason !== 'ended') {
    if (reason === 'release') say('Restarting')
    say('Stopping all processes with SIGTERM')
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), exitTimeoutMs)
    await ended
    clearTimeout(timer)
  }
  say(`Process exited with status ${child.exitCode ?? child.signalCode}`)
  if (reason === 'ended') say('State changed from up to crashed')
  return reason === 'ended'
}

async function spawnApp(dyno: Dyno, config: Record<string, string>): Promise<ChildProcess> {
  const { port, pidFile, output } = dyno
  // One left by a dyno that was killed still has the port.
  await endRecorded(dirname(pidFile), basename(pidFile, '.pid'), 'SIGTERM', exitTimeoutMs)
  const child = spawnRecorded({
    pidFile,
    command: process.execPath,
    args: [entry],
    env: { PATH: process.env['PATH'], PORT: port, DYNO: processName, ...config },
    cwd: resolve(import.meta.dirname, '..'),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [child.stdout, child.stderr])
    if (stream)
      createInterface({ input: stream }).on('line', (line) => output.ship(processName, line))
  return child
}

/** Waits until the app has a newer release, or until `over`. */
async function newerRelease(
  dyno: Dyno,
  version: number,
  over: AbortSignal,
): Promise<'release' | 'stop'> {
  for (;;) {
    const waited = await delay(releaseCheckMs, true, { signal: over }).catch(() => false)
    if (!waited) return 'stop'
    const newest = await newestVersion(dyno).catch(() => version)
    if (newest > version) return 'release'
  }
}

async function newestVersion({ api, app }: Dyno): Promise<number> {
  const releases = await api<Release[]>('GET', `/apps/${app}/releases`, {
    headers: { range: 'version ..; order=desc,max=1' },
  })
  return releases[0]?.version ?? 0
}

await main(process.argv[2] ?? 'demo', process.env)
