import { copyView, newView, viewOf, writeNumber } from '../bytes.ts'
import { chunkBytesMax, chunkLinesMax, messageBytesMax } from '../limits.ts'
import { fieldBytesMax, type SyslogMessage } from '../syslog/message.ts'
import type { PostPart } from './app-log.ts'

const bytesMin = 512
/** Up to here memory comes in pieces of Node's pool of 64 kB, an own allocation costs 8 µs. */
const pooledBytesMax = 4_096
const space = 0x20
const dash = 0x2d
const openAngle = 0x3c
const one = 0x31
/** `>1 `, ` host ` and ` - `, as one writes them in one or two goes. */
const afterPri = { bytes: 3, first: 0x3e, rest: 0x3120 }
const afterTime = { bytes: 6, first: 0x20686f73, rest: 0x7420 }
const afterProc = { bytes: 3, first: 0x20, rest: 0x2d20 }

/** Longest name of a token, which takes the place of APP-NAME. */
const sourceBytesMax = 64
/** What a line can weigh: message, newline, source, TIME, PROCID, and what stands between them. */
const lineBytesMax = messageBytesMax + 1 + sourceBytesMax + 2 * fieldBytesMax + 64

/**
 * A post that may come again: the id that it is known by then, and its lines so far for one app.
 */
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
  #view: DataView
  #size = 0

  /** @param expectedBytes what it will probably hold: less growing, less copying */
  constructor(expectedBytes = 0) {
    const bytes = Math.ceil(expectedBytes + expectedBytes / 8)
    this.#bytes = newBytes(Math.min(chunkBytesMax, Math.max(bytesMin, bytes)))
    this.#view = newView(this.#bytes)
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
    const now = noTime ? clock() : bytes
    const timeBytes = noTime ? now.length : timeEnd - timeStart
    const length =
      1 +
      (priEnd - priStart) +
      afterPri.bytes +
      timeBytes +
      afterTime.bytes +
      source.length +
      1 +
      (procEnd - procStart) +
      afterProc.bytes +
      (end - msgStart)
    this.#reserve(length + 8)
    const from = this.#size
    const target = this.#view
    const sent = viewOf(bytes)
    let to = writeNumber(target, from, length)
    target.setUint8(to++, space)
    if (timeStart === priEnd + 3 && bytes[priEnd + 1] === one && !noTime) {
      // `<PRI>1 TIME` stands so in the frame of nearly every sender.
      to = copyView(target, to, sent, priStart - 1, timeEnd)
    } else {
      target.setUint8(to++, openAngle)
      to = copyView(target, to, sent, priStart, priEnd)
      target.setUint8(to, afterPri.first)
      target.setUint16(to + 1, afterPri.rest)
      to += afterPri.bytes
      for (let at = 0; at < timeBytes; at++)
        target.setUint8(to++, (noTime ? now[at] : bytes[timeStart + at]) ?? 0)
    }
    target.setUint32(to, afterTime.first)
    target.setUint16(to + 4, afterTime.rest)
    to += afterTime.bytes
    for (let at = 0; at < source.length; at++) target.setUint8(to++, source[at] ?? 0)
    target.setUint8(to++, space)
    to = copyView(target, to, sent, procStart, procEnd)
    target.setUint8(to, afterProc.first)
    target.setUint16(to + 1, afterProc.rest)
    to = copyView(target, to + afterProc.bytes, sent, msgStart, end)
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
    this.#view = newView(larger)
  }
}

function newBytes(size: number): Buffer {
  return size <= pooledBytesMax ? Buffer.allocUnsafe(size) : Buffer.allocUnsafeSlow(size)
}
