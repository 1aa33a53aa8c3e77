import { closeSync, openSync, statSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { stopChild } from '../engines/engine.ts'
import { readLogFrom } from './log-files.ts'
import { spawnRecorded } from './process-record.ts'
import type { Running } from './supervise.ts'

const readyTimeoutMs = 60_000
const probeMs = 25
const shownBytes = 3_000

/**
 * Starts a TypeScript file of ours in a process of its own, its output appended to logFile, and
 * returns when it has written that it is ready.
 */
export async function startProcess(options: {
  name: string
  file: string
  args?: string[]
  /** Starts anew when a file that it has loaded changes. */
  watch?: boolean
  env: Record<string, string>
  logFile: string
  pidFile: string
}): Promise<Running> {
  const { name, file, args = [], watch, env, logFile, pidFile } = options
  const output = openSync(logFile, 'a', 0o600)
  const offset = statSync(logFile).size
  const child = spawnRecorded({
    pidFile,
    command: process.execPath,
    args: [
      '--disable-warning=ExperimentalWarning',
      ...(watch ? ['--watch', '--watch-preserve-output'] : []),
      file,
      ...args,
    ],
    env: { PATH: process.env['PATH'] ?? '', ...env },
    cwd: '/',
    stdio: ['ignore', output, output],
  })
  closeSync(output)
  let failure: Error | undefined
  child.once('error', (error) => (failure = error))
  const end = Date.now() + readyTimeoutMs
  while (!(await readLogFrom(logFile, offset)).includes('"msg":"ready"')) {
    if (failure) throw failure
    const late = Date.now() > end
    if (late || child.exitCode !== null || child.signalCode !== null) {
      child.kill('SIGKILL')
      const said = (await readLogFrom(logFile, offset)).slice(-shownBytes)
      const what = late ? `was not ready within ${readyTimeoutMs / 1000} s` : 'ended at its start'
      throw new Error(`${name} ${what}. It said (${logFile}):\n${said}`)
    }
    await delay(probeMs)
  }
  return { child, stop: () => stopChild(child, 'SIGTERM') }
}
