import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Layout } from '../layout.ts'

const probeMs = 100
const healthTimeoutMs = 1_000

/**
 * Makes sure that nobody else has our ports.
 *
 * @param patienceMs how long those of processes that have just ended may take to be free.
 * @throws Error that names the port and says how to move.
 */
export async function assertPortsFree({ ports }: Layout, patienceMs: number): Promise<void> {
  const end = Date.now() + patienceMs
  // Instances of Redis add-ons may have outlived a crash: their provider takes them up again.
  const { redisAddons: _, redisAddonsTls: __, ...fixed } = ports
  for (const [name, port] of Object.entries(fixed)) {
    while (!(await isFree(port))) {
      if (Date.now() > end)
        throw new Error(
          `Port ${port} (${name}) is in use by ${await whoHas(port)}, or start Plexus ` +
            `elsewhere with all its ports moved: PLEXUS_PORT_BASE=${movedBase(ports.api)} npm start`,
        )
      await delay(probeMs)
    }
  }
}

/** Who has the port, and what to do about it. */
async function whoHas(port: number): Promise<string> {
  const health = await fetch(`http://127.0.0.1:${port}/health`, {
    signal: AbortSignal.timeout(healthTimeoutMs),
    redirect: 'manual',
  })
    .then((response) => response.text())
    .catch(() => '')
  return health === '{"status":"ok"}'
    ? 'what looks like another copy of Plexus. Stop that one (npx plexus down in its folder)'
    : 'another program. Stop that program'
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
