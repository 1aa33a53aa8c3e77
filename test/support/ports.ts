import { createServer } from 'node:net'
import { layoutAt } from '../../local-platform/layout.ts'

// Below the range from which Linux takes ports for outgoing connections (32768 and up).
const lowestBase = 10_000
const highestBase = 27_000
/** More than a base's ports are apart, so that no two bases share one that is not asked for. */
const baseStep = 1_000
/** A port of a base that nothing of Plexus uses. */
const claimOffset = 9

/**
 * A port base whose fixed ports are all free. It stays this process's until that ends: most of its
 * ports are taken only later, and other tests look for theirs meanwhile.
 */
export async function freePortBase(): Promise<number> {
  const count = (highestBase - lowestBase) / baseStep
  const first = Math.floor(Math.random() * count)
  for (let tries = 0; tries < count; tries++) {
    const base = lowestBase + baseStep * ((first + tries) % count)
    if (!(await claim(base + claimOffset))) continue
    const free = await Promise.all(Object.values(layoutAt('/', base).ports).map(isFree))
    if (free.every(Boolean)) return base
  }
  throw new Error(`none of ${count} port bases is free`)
}

/** Takes the port until the process ends; false when somebody has it. */
function claim(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().unref()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => resolve(true))
  })
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
