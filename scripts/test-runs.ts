import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const vitest = join(root, 'node_modules/vitest/vitest.mjs')

/**
 * Projects that run at a time, each half with engines of its own. Within a half files run one after
 * the other and mostly wait, for a lease or a deadline: of two cores they use 0.8 in one run.
 */
const halves = [
  ['pg', 'system'],
  ['unit', 'integration', 'chaos'],
]

/**
 * Runs vitest, in two halves at a time unless arguments choose what to run.
 *
 * @returns the exit status: 0 when all passed.
 */
export async function runTests(asked: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const children: ChildProcess[] = []
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => children.forEach((child) => child.kill(signal)))
  const start = async (args: string[], shared: boolean): Promise<number> => {
    const child = spawn(process.execPath, [vitest, 'run', ...args], {
      ...{ cwd: root, env },
      stdio: ['inherit', shared ? 'pipe' : 'inherit', shared ? 'pipe' : 'inherit'],
    })
    children.push(child)
    const ended = once(child, 'exit') as Promise<[number | null]>
    await Promise.all([
      passLines(child.stdout, process.stdout),
      passLines(child.stderr, process.stderr),
    ])
    return (await ended)[0] ?? 1
  }
  if (asked.some((arg) => arg.startsWith('--project'))) return start(asked, false)
  if (asked.length > 0) return start([...projectArgs(halves.flat()), ...asked], false)
  const statuses = await Promise.all(halves.map((half) => start(projectArgs(half), true)))
  statuses.forEach((status, half) => {
    const projects = halves[half]?.join(' and ')
    process.stdout.write(`${projects}: ${status === 0 ? 'passed' : 'FAILED, see above'}\n`)
  })
  return Math.max(...statuses)
}

const projectArgs = (projects: string[]): string[] =>
  projects.flatMap((project) => ['--project', project])

/** Whole lines, so that two runs may write at a time; each line of vitest names its project. */
async function passLines(from: ChildProcess['stdout'], to: NodeJS.WriteStream): Promise<void> {
  if (!from) return
  for await (const line of createInterface({ input: from })) to.write(`${line}\n`)
}
