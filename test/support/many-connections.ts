import { fork } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'

/** What the other process is to do: open a connection for each text, or end each with one. */
export type Wish = { port: number; begun: string[] } | { rest: string[] }

export type ManyConnections = {
  /** Ends each connection with the rest of what it has begun; returns when all are closed. */
  finish: (rest: string[]) => Promise<void>
  close: () => void
}

/**
 * Opens a connection for each text, says it there and holds it open, from several addresses and in
 * a process of its own: both ends in one would need twice as many descriptors.
 *
 * @throws when a connection is refused, or the process may not have so many: raise `ulimit -n`.
 */
export async function openManyConnections(port: number, begun: string[]): Promise<ManyConnections> {
  const child = fork(resolve(import.meta.dirname, 'many-connections-worker.ts'))
  const ask = async (wish: Wish): Promise<void> => {
    const answered = once(child, 'message') as Promise<[string]>
    child.send(wish)
    const [answer] = await answered
    if (answer !== 'done') throw new Error(`${answer}; does ulimit -n allow so many?`)
  }
  const close = (): void => void child.kill()
  await ask({ port, begun }).catch((error: unknown) => {
    close()
    throw error
  })
  return { finish: (rest) => ask({ rest }), close }
}
