import { spawn, type ChildProcess } from 'node:child_process'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll } from 'vitest'
import { serviceEnv, type ServiceName } from '../../local-platform/service-env.ts'
import type { TestEngines } from './engines.ts'

/** A service in a process of its own, as in production. */
export type ServiceProcess = {
  child: ChildProcess
  /** kill -9: nothing is said, nothing is finished. */
  kill: () => Promise<void>
  /** SIGTERM, and waits for its end. */
  stop: () => Promise<void>
}

const started = new Set<ChildProcess>()
let isOver = false

// Whatever becomes of a test, the file that started a service does not leave it behind. This hook
// is registered before those of the file, and so runs after them, unless one of these throws. A
// hook of the file that took too long still goes on then, and must start nothing more. Vitest waits
// for ever for what holds its stderr, so no service is given that.
const killStarted = (): void => {
  isOver = true
  for (const child of started) child.kill('SIGKILL')
}
afterAll(killStarted)
process.once('exit', killStarted)

/** Starts a service against the test engines and returns when it says that it is ready. */
export async function startService(
  service: ServiceName,
  engines: TestEngines,
  overrides: Record<string, string> = {},
): Promise<ServiceProcess> {
  if (isOver) throw new Error(`the tests that wanted ${service} are over`)
  const main = resolve(import.meta.dirname, '../../services', service, 'main.ts')
  const child = spawn(process.execPath, [main], {
    env: {
      PATH: process.env['PATH'],
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
      // Tests kill processes and wait for others to go on.
      PLEXUS_WORKFLOW_LEASE_SECONDS: '4',
      ...(service === 'logplex' && { PLEXUS_DRAIN_LEASE_SECONDS: '3' }),
      ...serviceEnv(service, engines),
      ...overrides,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.add(child)
  child.stderr.on('data', (text: Buffer) => process.stderr.write(text))
  const ended = new Promise<void>((done) => child.once('exit', () => done()))
  void ended.then(() => started.delete(child))
  await new Promise<void>((ready, failed) => {
    const said: string[] = []
    createInterface({ input: child.stdout }).on('line', (line) => {
      said.push(line)
      if (line.includes('"msg":"ready"')) ready()
      if (process.env['PLEXUS_TEST_LOG']) process.stderr.write(`${service}: ${line}\n`)
    })
    child.once('exit', () => failed(new Error(`${service} ended at start:\n${said.join('\n')}`)))
  })
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal)
    await ended
  }
  return { child, kill: () => end('SIGKILL'), stop: () => end('SIGTERM') }
}
