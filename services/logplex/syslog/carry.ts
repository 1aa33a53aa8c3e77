import { carryKeptBytesMax, longCarriesBytesMax } from '../limits.ts'

/** Memory of what goes on beyond what each connection may keep, in the whole process. */
let longCarriesBytes = 0

/** The beginning of what goes on in the next bytes of a connection; grows as it has to. */
export class Carry {
  /** The first `size` bytes count. */
  bytes = new Uint8Array(0)
  size = 0
  readonly #max: number

  /** @param max most bytes that are ever kept. */
  constructor(max: number) {
    this.#max = max
  }

  /** Adds from[start..end). False when the process has no memory for that much. */
  keep(from: Uint8Array, start: number, end: number): boolean {
    const size = this.size + end - start
    if (size > this.bytes.length) {
      const length = Math.min(this.#max, Math.max(512, size * 2))
      const more = beyondKept(length) - beyondKept(this.bytes.length)
      if (longCarriesBytes + more > longCarriesBytesMax) return false
      longCarriesBytes += more
      const larger = new Uint8Array(length)
      larger.set(this.bytes.subarray(0, this.size))
      this.bytes = larger
    }
    this.bytes.set(from.subarray(start, end), this.size)
    this.size = size
    return true
  }

  /** Forgets it; what was long gives its memory back. */
  letGo(): void {
    this.size = 0
    const more = beyondKept(this.bytes.length)
    if (more === 0) return
    longCarriesBytes -= more
    this.bytes = new Uint8Array(0)
  }
}

/** What memory of that length counts as in longCarriesBytes. */
function beyondKept(length: number): number {
  return length > carryKeptBytesMax ? length : 0
}
