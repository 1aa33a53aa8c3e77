import { spawn } from 'node:child_process'
import { resolve } from 'node:path'

/** What a command of the CLI said and how it ended. */
export type CliResult = { code: number; stdout: string; stderr: string }

/** What to type when the CLI asks; `question` is a part of its text. */
export type Answer = { question: string; text: string }

/** A running CLI command, for those that do not end by themselves. */
export type RunningCli = {
  /** All of stdout so far. */
  output: () => string
  /** Ctrl-C, and waits for its end. */
  interrupt: () => Promise<void>
}

const plexus = resolve(import.meta.dirname, '../../bin/plexus')
const commandTimeoutMs = 90_000

/**
 * The official CLI as a user runs it: `npx plexus heroku …`, with nothing but the platform's env
 * in its environment. `account` replaces the demo account's token.
 */
export function herokuCli(platformEnv: Record<string, string>, token?: string) {
  const env = {
    PATH: process.env['PATH'],
    TERM: 'dumb',
    ...platformEnv,
    ...(token !== undefined && { PLEXUS_API_TOKEN: token }),
  }
  const start = (args: string[]) =>
    spawn(process.execPath, [plexus, 'heroku', ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] })

  return {
    /** Runs a command to its end, typing each answer when its question has appeared. */
    run(args: string[], answers: Answer[] = []): Promise<CliResult> {
      const child = start(args)
      let stdout = ''
      let stderr = ''
      const unasked = [...answers]
      const answer = (): void => {
        const [next] = unasked
        if (next && (stdout + stderr).includes(next.question)) {
          unasked.shift()
          child.stdin.write(`${next.text}\n`)
        }
        if (unasked.length === 0) child.stdin.end()
      }
      child.stdout.on('data', (chunk: Buffer) => {
        stdout += chunk.toString()
        answer()
      })
      child.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk.toString()
        answer()
      })
      answer()
      const timer = setTimeout(() => child.kill('SIGKILL'), commandTimeoutMs)
      return new Promise((done) => {
        child.once('close', (code) => {
          clearTimeout(timer)
          done({ code: code ?? -1, stdout, stderr })
        })
      })
    },

    /** Runs a command that must succeed; answers its stdout. */
    async ok(args: string[]): Promise<string> {
      const { code, stdout, stderr } = await this.run(args)
      if (code !== 0)
        throw new Error(`heroku ${args.join(' ')} ended with ${code}:\n${stderr}${stdout}`)
      return stdout
    },

    /** Starts a command that runs until it is interrupted. */
    watch(args: string[]): RunningCli {
      const child = start(args)
      let stdout = ''
      child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
      const ended = new Promise<void>((done) => child.once('close', () => done()))
      return {
        output: () => stdout,
        interrupt: async () => {
          child.kill('SIGINT')
          await ended
        },
      }
    },
  }
}
