import type { AppId } from '#lib/ids.ts'
import type { PendingLog } from './pending-log.ts'

/** Where lines with a token go: into which app's log, under which source. */
export type TokenRoute = {
  appId: AppId
  /** The token's name, which takes the place of APP-NAME. */
  source: Uint8Array
  /** The app's lines on their way, while there are any: saves a look-up per line. */
  pending: PendingLog | undefined
  /** Bytes of the app's last chunk: as many are expected of the next one. */
  chunkBytes: number
}

type Entry = { token: Uint8Array; route: TokenRoute }

/**
 * All known tokens. A line's token is found by its bytes and compared in full: two tokens with the
 * same hash never get each other's lines.
 */
export class TokenTable {
  readonly #byHash = new Map<number, Entry[]>()

  /** Adds a token or changes what it stands for. */
  set(token: string, appId: AppId, source: string): void {
    const bytes = Buffer.from(token)
    const route = { appId, source: Buffer.from(source), pending: undefined, chunkBytes: 0 }
    const hash = hashOf(bytes, 0, bytes.length)
    const others = (this.#byHash.get(hash) ?? []).filter((entry) => !bytes.equals(entry.token))
    this.#byHash.set(hash, [...others, { token: bytes, route }])
  }

  delete(token: string): void {
    const bytes = Buffer.from(token)
    const hash = hashOf(bytes, 0, bytes.length)
    const others = (this.#byHash.get(hash) ?? []).filter((entry) => !bytes.equals(entry.token))
    if (others.length > 0) this.#byHash.set(hash, others)
    else this.#byHash.delete(hash)
  }

  /** The route of the token bytes[start..end), or undefined. */
  find(bytes: Uint8Array, start: number, end: number): TokenRoute | undefined {
    const entries = this.#byHash.get(hashOf(bytes, start, end))
    if (!entries) return undefined
    for (const { token, route } of entries) if (isSame(token, bytes, start, end)) return route
    return undefined
  }
}

/** Of a token `t.<uuid>` so many bytes are hashed, of which 48 bits are random: nobody chooses them. */
const hashedBytes = 14

/** FNV-1a over the first bytes, as a small integer: hashing all of them costs twice a line's look-up. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 ^ (end - start)
  const until = Math.min(end, start + hashedBytes)
  for (let position = start; position < until; position++)
    hash = Math.imul(hash ^ (bytes[position] ?? 0), 0x01000193)
  return hash >>> 2
}

function isSame(token: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (token.length !== end - start) return false
  for (let index = 0; index < token.length; index++)
    if (token[index] !== bytes[start + index]) return false
  return true
}
