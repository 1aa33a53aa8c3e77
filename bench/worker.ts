import { fork, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'

/**
 * A process beside the measured ones (load, sink) that is asked and answers one thing at a time.
 */
export type Worker<Ask, Answer> = {
  ask: (question: Ask) => Promise<Answer>
  stop: () => void
}

const workers = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of workers) child.kill('SIGKILL')
})

/**
 * Starts bench/FILE, which serves with serveWorker; what it is told besides is in its environment.
 */
export function startWorker<Ask extends object, Answer>(
  file: string,
  env: NodeJS.ProcessEnv = {},
): Worker<Ask, Answer> {
  const child = fork(join(import.meta.dirname, file), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ...env },
  })
  workers.add(child)
  return {
    ask: (question) =>
      new Promise<Answer>((resolve, reject) => {
        const failed = (): void => reject(new Error(`${file} has ended`))
        child.once('exit', failed)
        child.once('message', (answer) => {
          child.off('exit', failed)
          resolve(answer as Answer)
        })
        child.send(question)
      }),
    stop: () => {
      workers.delete(child)
      child.kill('SIGKILL')
    },
  }
}

/** The worker's side. */
export function serveWorker<Ask, Answer>(answer: (question: Ask) => Promise<Answer>): void {
  process.on('message', (question: Ask) => {
    void answer(question).then((reply) => process.send?.(reply))
  })
  process.once('disconnect', () => process.exit())
}
