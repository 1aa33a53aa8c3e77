import type { IncomingMessage } from 'node:http'
import { createGunzip } from 'node:zlib'
import { postBytesMax } from '../limits.ts'

/** Refusals are plain text, in Logplex's words. */
export class Refusal extends Error {
  readonly statusCode: number

  constructor(statusCode: number, message: string) {
    super(message)
    this.statusCode = statusCode
  }
}

/** There is no room now for what the sender wants to be taken: it is to try again. */
export class NoRoom extends Error {}

/** What the bodies of all posts take up together that have come, in part or whole. */
export class BytesInFlight {
  readonly #max: number
  #bytes = 0

  constructor(max: number) {
    this.#max = max
  }

  /** Runs `work`, which may take room; the room is free again when it has ended. */
  async hold<T>(work: (take: (bytes: number) => void) => Promise<T>): Promise<T> {
    let taken = 0
    try {
      return await work((bytes) => {
        if (this.#bytes + bytes > this.#max) throw new NoRoom('too many bytes of posts in flight')
        this.#bytes += bytes
        taken += bytes
      })
    } finally {
      this.#bytes -= taken
    }
  }
}

/**
 * Reads a post's body whole, unpacked. Each byte, packed and unpacked, is taken before it is kept:
 * what a sender says of its length is not believed.
 */
export async function readBody(
  request: IncomingMessage,
  take: (bytes: number) => void,
): Promise<Uint8Array> {
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity' && encoding !== 'gzip')
    throw new Refusal(415, 'Unsupported Content-Encoding: gzip is')
  if (Number(request.headers['content-length'] ?? 0) > postBytesMax) throw tooLarge()
  // Not destroyed when it is too long: its connection is to carry the answer.
  const pieces = request.iterator({ destroyOnReturn: false })
  const body = await collect(pieces, take, 'Bad request: the body did not come whole.')
  if (encoding === 'identity') return body
  const unpacked = createGunzip()
  unpacked.end(body)
  const notPacked = 'Bad request: the body is not gzip as its Content-Encoding says.'
  return collect(unpacked, take, notPacked)
}

async function collect(
  stream: AsyncIterable<Buffer>,
  take: (bytes: number) => void,
  broken: string,
): Promise<Uint8Array> {
  const pieces: Buffer[] = []
  let size = 0
  try {
    for await (const piece of stream) {
      size += piece.length
      if (size > postBytesMax) throw tooLarge()
      take(piece.length)
      pieces.push(piece)
    }
  } catch (error) {
    if (error instanceof Refusal || error instanceof NoRoom) throw error
    throw new Refusal(400, broken)
  }
  return Buffer.concat(pieces, size)
}

function tooLarge(): Refusal {
  return new Refusal(413, `Payload Too Large: a post may hold ${postBytesMax} bytes.`)
}
