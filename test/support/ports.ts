import { createServer } from 'node:net'
import { layoutAt } from '../../local-platform/layout.ts'

// Below the range from which Linux takes ports for outgoing connections (32768 and up).
const lowestBase = 10_000
const highestBase = 27_000
const triesMax = 50

/** A port base whose fixed ports are all free right now. */
export async function freePortBase(): Promise<number> {
  for (let tries = 0; tries < triesMax; tries++) {
    const base = lowestBase + 10 * Math.floor((Math.random() * (highestBase - lowestBase)) / 10)
    const free = await Promise.all(Object.values(layoutAt('/', base).ports).map(isFree))
    if (free.every(Boolean)) return base
  }
  throw new Error(`no free port base found in ${triesMax} tries`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
