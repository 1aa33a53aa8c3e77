import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { canaryBodyBytesMax } from '../limits.ts'
import type { NumberRun } from './number-run.ts'

/** Where the canary's drain posts to: takes the numbers out of what comes, at this machine only. */
export type CanaryReceiver = { url: string; close: () => Promise<void> }

/** @param path unguessable: whoever posts there is the drain */
export async function openCanaryReceiver(
  path: string,
  numbers: NumberRun,
): Promise<CanaryReceiver> {
  let known: unknown
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const text = await readText(request)
    const frameId = request.headers['logplex-frame-id']
    const isOurs = request.url === path && text !== undefined
    // A post that was tried again has the id that it had.
    if (isOurs && frameId !== known)
      for (const [, number] of text.matchAll(/ canary round - n=(\d+)/g))
        numbers.take(Number(number))
    if (isOurs) known = frameId
    response.writeHead(isOurs ? 204 : 404).end()
  }
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}${path}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function readText(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > canaryBodyBytesMax) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts).toString('latin1')
}
