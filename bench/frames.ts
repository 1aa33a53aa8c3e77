// Frames that are built before the clock runs: RFC 5424 with octet counting, so long as the bench
// wants its lines, and what the same line is at the end of a syslog drain.

/** In place of a pace: as fast as lines are taken. */
export const saturated = 0

const time = '2026-11-21T09:00:00.123456+00:00'

/** `LEN <190>1 TIME host TOKEN web.1 - - MSG`, whose body has so many bytes. */
export function frameOf(token: string, bodyBytes: number): Buffer {
  const head = `<190>1 ${time} host ${token} web.1 - - `
  const text = head + 'x'.repeat(Math.max(1, bodyBytes - head.length))
  return Buffer.from(`${text.length} ${text}`)
}

/** Bytes of the same line from a syslog drain: its token as host, `app` as source, a newline. */
export function drainedBytes(bodyBytes: number, token: string): number {
  const body = bodyBytes - 'host'.length - token.length + drainTokenBytes + 'app'.length + 1
  return String(body).length + 1 + body
}
const drainTokenBytes = 'd.'.length + 36

/** A line for each token in turn, over and over, until the block is that large. */
export function blockOf(tokens: string[], bodyBytes: number, blockBytes = 64 * 1024): Block {
  const frames: Buffer[] = []
  let bytes = 0
  for (let at = 0; bytes < blockBytes || at % tokens.length !== 0; at++) {
    const frame = frameOf(tokens[at % tokens.length] ?? '', bodyBytes)
    frames.push(frame)
    bytes += frame.length
  }
  return { bytes: Buffer.concat(frames), lines: frames.length }
}

export type Block = { bytes: Buffer; lines: number }
