import { copyBytes, writeNumber } from '../bytes.ts'
import { chunkBytesMax, chunkLinesMax, messageBytesMax } from '../limits.ts'
import { fieldBytesMax, type SyslogMessage } from '../syslog/message.ts'
import type { PostPart } from './app-log.ts'

const bytesMin = 512
/** Up to here memory comes in pieces of Node's pool of 64 kB, an own allocation costs 8 µs. */
const pooledBytesMax = 4_096
const space = 0x20
const dash = 0x2d
const lineAfterPri = Buffer.from('>1 ')
const lineAfterTime = Buffer.from(' host ')
const lineAfterProc = Buffer.from(' - ')

/** Longest name of a token, which takes the place of APP-NAME. */
const sourceBytesMax = 64
/** What a line can weigh: message, newline, source, TIME, PROCID, and what stands between them. */
const lineBytesMax = messageBytesMax + 1 + sourceBytesMax + 2 * fieldBytesMax + 64

/** A post that may come again: the id that it is known by then, and its lines so far for one app. */
export type Post = { id: string; lines: number }

/**
 * Lines on their way into an app's log, written as stored frames (stored-line.ts) one behind the
 * other into memory of the chunk's own.
 */
export class Chunk {
  count = 0
  /** Where the lines of posts are that may come again, in their order. */
  readonly parts: PostPart[] = []
  #bytes: Buffer
  #size = 0

  /** @param expectedBytes what it will probably hold: less growing, less copying */
  constructor(expectedBytes = 0) {
    const bytes = Math.ceil(expectedBytes + expectedBytes / 8)
    this.#bytes = newBytes(Math.min(chunkBytesMax, Math.max(bytesMin, bytes)))
  }

  get size(): number {
    return this.#size
  }

  /** No further line may be added; every line fits into a chunk that is not full. */
  get full(): boolean {
    return this.count >= chunkLinesMax || this.#size + lineBytesMax > chunkBytesMax
  }

  /** The lines, for good: nothing may be added afterwards. */
  get frames(): Uint8Array {
    const frames = this.#bytes.subarray(0, this.#size)
    // Readers may keep them for a while, and the unused rest with them: a small chunk is copied.
    return this.#size * 2 < this.#bytes.length ? new Uint8Array(frames) : frames
  }

  /**
   * Adds the message with `source` in place of its APP-NAME; `clock` gives the time that stands for
   * one that the sender left out ("-"); `post` is what it came in, if that may come again.
   *
   * @returns the bytes that the line takes.
   */
  add(
    bytes: Uint8Array,
    message: SyslogMessage,
    source: Uint8Array,
    clock: () => Uint8Array,
    post?: Post,
  ): number {
    const { priStart, priEnd, timeStart, timeEnd, procStart, procEnd, msgStart, end } = message
    const noTime = timeEnd - timeStart === 1 && bytes[timeStart] === dash
    const time = noTime ? clock() : bytes
    const timeFrom = noTime ? 0 : timeStart
    const timeTo = noTime ? time.length : timeEnd
    const length =
      1 +
      (priEnd - priStart) +
      lineAfterPri.length +
      (timeTo - timeFrom) +
      lineAfterTime.length +
      source.length +
      1 +
      (procEnd - procStart) +
      lineAfterProc.length +
      (end - msgStart)
    this.#reserve(length + 8)
    const from = this.#size
    const target = this.#bytes
    let to = writeNumber(target, from, length)
    target[to++] = space
    target[to++] = 0x3c
    to = copyBytes(target, to, bytes, priStart, priEnd)
    to = copyBytes(target, to, lineAfterPri, 0, lineAfterPri.length)
    to = copyBytes(target, to, time, timeFrom, timeTo)
    to = copyBytes(target, to, lineAfterTime, 0, lineAfterTime.length)
    to = copyBytes(target, to, source, 0, source.length)
    target[to++] = space
    to = copyBytes(target, to, bytes, procStart, procEnd)
    to = copyBytes(target, to, lineAfterProc, 0, lineAfterProc.length)
    to = copyBytes(target, to, bytes, msgStart, end)
    this.#size = to
    this.count++
    if (post) this.#addPart(post, from, to)
    return to - from
  }

  #addPart(post: Post, start: number, end: number): void {
    const last = this.parts.at(-1)
    const from = post.lines++
    // The same post may stand here twice, one behind the other.
    if (last?.post === post.id && last.end === start && last.to === from) {
      last.to++
      last.end = end
    } else this.parts.push({ post: post.id, from, to: from + 1, start, end })
  }

  #reserve(bytes: number): void {
    if (this.#size + bytes <= this.#bytes.length) return
    const larger = newBytes(Math.max(this.#size + bytes, this.#bytes.length * 2))
    larger.set(this.#bytes.subarray(0, this.#size))
    this.#bytes = larger
  }
}

function newBytes(size: number): Buffer {
  return size <= pooledBytesMax ? Buffer.allocUnsafe(size) : Buffer.allocUnsafeSlow(size)
}
