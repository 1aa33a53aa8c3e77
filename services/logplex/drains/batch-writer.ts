import { ByteWriter } from '../byte-writer.ts'
import { bufferOf } from '../bytes.ts'

/** The bytes of a batch, which are not copied while they are but a chunk's. */
export class BatchWriter {
  readonly #expectedBytes: () => number
  #writer: ByteWriter | undefined
  #whole: Uint8Array | undefined

  constructor(expectedBytes: () => number) {
    this.#expectedBytes = expectedBytes
  }

  get length(): number {
    return this.#writer?.length ?? this.#whole?.length ?? 0
  }

  /** All of a chunk, as it is stored. */
  addWhole(frames: Uint8Array): void {
    if (!this.#writer && !this.#whole) this.#whole = frames
    else this.started().copy(frames)
  }

  /** Where lines are written one by one: from now on the bytes are the batch's own. */
  started(): ByteWriter {
    if (this.#writer) return this.#writer
    this.#writer = new ByteWriter(this.#expectedBytes())
    if (this.#whole) this.#writer.copy(this.#whole)
    return this.#writer
  }

  /** What was written; nothing may be added afterwards, and a chunk's bytes not be changed. */
  finish(): Buffer {
    return this.#whole && !this.#writer ? bufferOf(this.#whole) : this.started().finish()
  }
}
