import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Layout } from '../layout.ts'

const patienceMs = 3_000
const probeMs = 100

/**
 * Makes sure that nobody else has our ports; those of processes that have just ended may take a
 * moment.
 *
 * @throws Error that names the port and says how to move.
 */
export async function assertPortsFree({ ports }: Layout): Promise<void> {
  const end = Date.now() + patienceMs
  // Instances of Redis add-ons may have outlived a crash: their provider takes them up again.
  const { redisAddons: _, ...fixed } = ports
  for (const [name, port] of Object.entries(fixed)) {
    while (!(await isFree(port))) {
      if (Date.now() > end)
        throw new Error(
          `Port ${port} (${name}) is in use by another program. Stop that program, or start Plexus ` +
            `elsewhere with all its ports moved: PLEXUS_PORT_BASE=${movedBase(ports.api)} npm start`,
        )
      await delay(probeMs)
    }
  }
}

function movedBase(base: number): number {
  return base < 50_000 ? base + 10_000 : base - 10_000
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
