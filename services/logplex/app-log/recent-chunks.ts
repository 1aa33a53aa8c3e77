import type { AppId } from '#lib/ids.ts'
import type { LogChunk } from './app-log.ts'
import { recentBytesMax, recentBytesPerAppMax } from '../limits.ts'

type Recent = { chunks: LogChunk[]; bytes: number }

/**
 * The newest chunks of the apps that have readers in this process, so that a line that came in
 * here goes out from here without a way through Redis. Per app an unbroken run of numbers.
 */
export class RecentChunks {
  readonly #apps = new Map<AppId, Recent>()
  #bytes = 0

  /** Keeps a chunk; one that does not follow the newest begins a new run. */
  add(appId: AppId, chunk: LogChunk): void {
    const newest = this.#apps.get(appId)?.chunks.at(-1)
    if (newest && newest.first + newest.count !== chunk.first) this.forget(appId)
    if (this.#bytes + chunk.frames.length > recentBytesMax) this.forget(appId)
    if (this.#bytes + chunk.frames.length > recentBytesMax) return
    const recent = this.#apps.get(appId) ?? { chunks: [], bytes: 0 }
    this.#apps.set(appId, recent)
    recent.chunks.push(chunk)
    recent.bytes += chunk.frames.length
    this.#bytes += chunk.frames.length
    while (recent.bytes > recentBytesPerAppMax && recent.chunks.length > 1) {
      const size = recent.chunks.shift()?.frames.length ?? 0
      recent.bytes -= size
      this.#bytes -= size
    }
  }

  /**
   * Chunks from the one that holds `from`, with so many bytes from there on if there are; none when
   * that line is not here.
   */
  read(appId: AppId, from: number, bytesWanted: number): LogChunk[] {
    const chunks = this.#apps.get(appId)?.chunks ?? []
    if (!chunks[0] || from < chunks[0].first) return []
    // From the new end: most readers are at it.
    const start = chunks.findLastIndex(({ first }) => first <= from)
    const found = chunks[start]
    if (!found || found.first + found.count <= from) return []
    let end = start + 1
    for (let bytes = found.first === from ? found.frames.length : 0; bytes < bytesWanted; end++) {
      const next = chunks[end]
      if (!next) break
      bytes += next.frames.length
    }
    return chunks.slice(start, end)
  }

  forget(appId: AppId): void {
    this.#bytes -= this.#apps.get(appId)?.bytes ?? 0
    this.#apps.delete(appId)
  }
}
