import type { AppId } from '#lib/ids.ts'
import { isSame, newView, viewOf } from '../bytes.ts'
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

/** `bytes` is the token's length: to ask the view costs as much as all else. */
type Entry = { token: DataView; bytes: number; route: TokenRoute }

/**
 * All known tokens. A line's token is found by its bytes and compared in full: two tokens with the
 * same hash never get each other's lines.
 */
export class TokenTable {
  readonly #byHash = new Map<number, Entry[]>()

  /** Adds a token or changes what it stands for. */
  set(token: string, appId: AppId, source: string): void {
    const view = newView(Buffer.from(token))
    const route = { appId, source: Buffer.from(source), pending: undefined, chunkBytes: 0 }
    const { hash, others } = this.#others(view)
    this.#byHash.set(hash, [...others, { token: view, bytes: view.byteLength, route }])
  }

  delete(token: string): void {
    const { hash, others } = this.#others(newView(Buffer.from(token)))
    if (others.length > 0) this.#byHash.set(hash, others)
    else this.#byHash.delete(hash)
  }

  /** The route of the token bytes[start..end), or undefined. */
  find(bytes: Uint8Array, start: number, end: number): TokenRoute | undefined {
    const view = viewOf(bytes)
    const entries = this.#byHash.get(hashOf(view, start, end))
    if (!entries) return undefined
    for (const { token, bytes: size, route } of entries)
      if (size === end - start && isSame(token, 0, view, start, size)) return route
    return undefined
  }

  /** What other tokens have the same hash. */
  #others(token: DataView): { hash: number; others: Entry[] } {
    const hash = hashOf(token, 0, token.byteLength)
    const entries = this.#byHash.get(hash) ?? []
    const isOther = (entry: Entry): boolean =>
      entry.bytes !== token.byteLength || !isSame(entry.token, 0, token, 0, entry.bytes)
    return { hash, others: entries.filter(isOther) }
  }
}

/** `t.`, behind which eight hexadecimal digits are random: nobody chooses them. */
const prefixBytes = 2
const hashedBytes = 8

/**
 * A small integer of the token's first digits: hashing all of them costs twice a line's look-up.
 */
function hashOf(view: DataView, start: number, end: number): number {
  const size = end - start
  const from = start + prefixBytes
  if (size < prefixBytes + hashedBytes) return size
  return (Math.imul(view.getInt32(from), 0x01000193) ^ view.getInt32(from + 4)) >>> 2
}
