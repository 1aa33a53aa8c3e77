import { copyBytes, writeNumber } from '../bytes.ts'
import { chunkBytesMax, chunkLinesMax, messageBytesMax } from '../limits.ts'
import { fieldBytesMax, type SyslogMessage } from '../syslog/message.ts'
import type { PostPart } from './app-log.ts'

const firstBytes = 1_024
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
  #bytes = Buffer.allocUnsafeSlow(firstBytes)
  #size = 0

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
    return this.#size * 2 < this.#bytes.length ? Uint8Array.from(frames) : frames
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
    const noTime = message.timeEnd - message.timeStart === 1 && bytes[message.timeStart] === dash
    const time = noTime ? clock() : bytes
    const timeStart = noTime ? 0 : message.timeStart
    const timeEnd = noTime ? time.length : message.timeEnd
    const length =
      1 +
      (message.priEnd - message.priStart) +
      lineAfterPri.length +
      (timeEnd - timeStart) +
      lineAfterTime.length +
      source.length +
      1 +
      (message.procEnd - message.procStart) +
      lineAfterProc.length +
      (message.end - message.msgStart)
    this.#reserve(length + 8)
    const from = this.#size
    const target = this.#bytes
    let to = writeNumber(target, from, length)
    target[to++] = space
    target[to++] = 0x3c
    to = copyBytes(target, to, bytes, message.priStart, message.priEnd)
    to = copyBytes(target, to, lineAfterPri, 0, lineAfterPri.length)
    to = copyBytes(target, to, time, timeStart, timeEnd)
    to = copyBytes(target, to, lineAfterTime, 0, lineAfterTime.length)
    to = copyBytes(target, to, source, 0, source.length)
    target[to++] = space
    to = copyBytes(target, to, bytes, message.procStart, message.procEnd)
    to = copyBytes(target, to, lineAfterProc, 0, lineAfterProc.length)
    to = copyBytes(target, to, bytes, message.msgStart, message.end)
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
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#size + bytes, this.#bytes.length * 2))
    larger.set(this.#bytes.subarray(0, this.#size))
    this.#bytes = larger
  }
}
