import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const vitest = join(root, 'node_modules/vitest/vitest.mjs')

/** Arguments of vitest. */
type Run = string[]

const projects = ['unit', 'pg', 'integration', 'chaos', 'system']
// Of two projects logplex's own files are a part that others do not need, and make the lanes even.
const logplex = 'test/integration/logplex-'
const besideLogplex = 'services/logplex/'

/**
 * Lanes that go on at a time, each with engines of its own. Within a lane files run one after the
 * other and mostly wait, for a lease, a deadline or a process: pg and integration use some 250 s of
 * CPU each. All three take about as long.
 */
const lanes: Run[][] = [
  [[...projectArgs(['pg']), '--exclude', `${besideLogplex}**`]],
  [[...projectArgs(['integration']), '--exclude', `${logplex}*`]],
  [
    projectArgs(['unit', 'system', 'chaos']),
    [...projectArgs(['integration']), logplex],
    [...projectArgs(['pg']), besideLogplex],
  ],
]

/**
 * Runs vitest, in several lanes at a time unless arguments choose what to run.
 *
 * @returns the exit status: 0 when all passed.
 */
export function runTests(asked: string[], env: NodeJS.ProcessEnv): Promise<number> {
  if (asked.some((arg) => arg.startsWith('--project'))) return runLanes([[asked]], env)
  if (asked.length > 0) return runLanes([[[...projectArgs(projects), ...asked]]], env)
  return runLanes(lanes, env)
}

/**
 * Runs vitest, the runs of a lane one after the other and all lanes at a time.
 *
 * @returns the exit status: 0 when all passed.
 */
export async function runLanes(given: Run[][], env: NodeJS.ProcessEnv): Promise<number> {
  const children = new Set<ChildProcess>()
  let interrupted = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      interrupted = true
      children.forEach((child) => child.kill(signal))
    })
  const shared = given.length > 1
  const start = async (args: Run): Promise<number> => {
    const child = spawn(process.execPath, [vitest, 'run', ...args], {
      ...{ cwd: root, env },
      stdio: ['inherit', shared ? 'pipe' : 'inherit', shared ? 'pipe' : 'inherit'],
    })
    children.add(child)
    const ended = once(child, 'exit') as Promise<[number | null]>
    await Promise.all([
      passLines(child.stdout, process.stdout),
      passLines(child.stderr, process.stderr),
    ])
    const [status] = await ended
    children.delete(child)
    return status ?? 1
  }
  const verdicts: string[] = []
  const statuses = await Promise.all(
    given.map(async (runs) => {
      let worst = 0
      for (const args of runs) {
        const status = interrupted ? 1 : await start(args)
        verdicts.push(`${args.join(' ')}: ${status === 0 ? 'passed' : 'FAILED, see above'}\n`)
        worst = Math.max(worst, status)
      }
      return worst
    }),
  )
  if (shared) process.stdout.write(verdicts.join(''))
  return Math.max(...statuses)
}

function projectArgs(names: string[]): Run {
  return names.flatMap((name) => ['--project', name])
}

/** Whole lines, so that several runs may write at a time; each line of vitest names its project. */
async function passLines(from: ChildProcess['stdout'], to: NodeJS.WriteStream): Promise<void> {
  if (!from) return
  for await (const line of createInterface({ input: from })) to.write(`${line}\n`)
}
