import { createServer } from 'node:net'

export type PortRange = { first: number; count: number }

/**
 * The lowest port of the range that no instance has and nobody on this machine listens at.
 * Throws when there is none.
 */
export async function chooseFreePort(
  { first, count }: PortRange,
  taken: ReadonlySet<number>,
): Promise<number> {
  for (let port = first; port < first + count; port++)
    if (!taken.has(port) && (await isFree(port, '127.0.0.1')) && (await isFree(port, '::1')))
      return port
  throw new Error(`no port is free from ${first} to ${first + count - 1}`)
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    // Without IPv6 nobody listens there either.
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'EADDRINUSE'))
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)))
  })
}
