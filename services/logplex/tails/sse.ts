import { forEachMessageLine, writeLineHead, type TailFormat } from './tail-format.ts'

const id = Buffer.from('id: ')
const data = Buffer.from('data: ')

/**
 * Server-sent events, what the heroku CLI reads: one event per line of the log, its `id` the line's
 * number, which a client that comes back sends as Last-Event-ID; one `data:` per line of a message
 * that has several. A heartbeat is a comment and, for clients that keep it, the number reached.
 *
 * A stream that is not to be followed begins with `retry: 1`: the CLI lingers for its reconnect
 * time after the end, 3 s when it was told nothing.
 */
export const sse: TailFormat = {
  name: 'sse',
  greeting: (tail) => (tail ? undefined : Buffer.from('retry: 1\n\n')),
  writeStart: () => {},
  writeLine: (writer, number, frames, line) => {
    writer.copy(id)
    writer.number(number)
    writer.byte(0x0a)
    writer.copy(data)
    writeLineHead(writer, frames, line)
    let first = true
    forEachMessageLine(frames, line.msgStart, line.end, (start, end) => {
      if (!first) writer.copy(data)
      first = false
      writer.copy(frames, start, end)
      writer.byte(0x0a)
    })
    writer.byte(0x0a)
  },
  notice: (last, text) => Buffer.from(`id: ${last}\ndata: ${text}\n\n`),
  unavailable: (text) => Buffer.from(`data: ${text}\n\n`),
  heartbeat: (last) => Buffer.from(`: \nid: ${last}\n\n`),
}
