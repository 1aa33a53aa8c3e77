import type { AppId } from '#lib/ids.ts'
import type { AppLog, LogChunk } from '../app-log/app-log.ts'
import { blankLine, readStoredLine } from '../app-log/stored-line.ts'
import { ByteWriter } from '../byte-writer.ts'
import type { ControlContext } from '../control/context.ts'
import { logLinesMin } from '../limits.ts'
import { ApiAnswer, jsonError, type ApiRoute } from './api-scope.ts'
import { channelOf } from './channel-of.ts'

const linesFallback = 100
const readBytesMax = 1024 * 1024
const newline = 0x0a

/** The newest lines of a channel as frames that end with a newline. */
export function channelLogRoutes(context: ControlContext): ApiRoute[] {
  return [
    {
      method: 'GET',
      url: '/v3/channels/:channel/logs',
      answer: async ({ params, query: { num } }, reply) => {
        const missing = jsonError(404, 'Not Found')
        const { appId } = await channelOf(context, params['channel'] ?? '', missing)
        if (context.switches.isOff('history', appId)) throw new ApiAnswer(503, '')
        const wanted = /^\d{1,9}$/.test(String(num)) ? Number(num) : linesFallback
        const lines = Math.min(wanted, logLinesMin)
        const chunks = await newestChunks(context.appLog, appId, lines).catch(() => {
          throw jsonError(500, 'failed to fetch channel logs')
        })
        const { frames, count } = framesOf(chunks, lines)
        reply.header('logplex-msg-count', String(count)).header('connection', 'close')
        return reply.code(200).type('application/logplex-1').send(frames)
      },
    },
  ]
}

/** Chunks with at least so many lines, if there are, oldest first. */
async function newestChunks(appLog: AppLog, appId: AppId, lines: number): Promise<LogChunk[]> {
  const chunks: LogChunk[] = []
  for (let missing = lines, before = Infinity; missing > 0;) {
    const { chunks: older } = await appLog.readBack(appId, before, readBytesMax)
    const [first] = older
    if (!first) break
    before = first.first
    chunks.unshift(...older)
    missing -= older.reduce((sum, { count }) => sum + count, 0)
  }
  return chunks
}

function framesOf(chunks: LogChunk[], lines: number): { frames: Buffer; count: number } {
  const all = chunks.reduce((sum, { count }) => sum + count, 0)
  const writer = new ByteWriter(chunks.reduce((sum, { frames }) => sum + frames.length, 64))
  const line = blankLine()
  let skip = Math.max(0, all - lines)
  for (const { frames } of chunks)
    for (let at = 0; at < frames.length;) {
      at = readStoredLine(frames, at, line)
      if (skip-- > 0) continue
      const ended = line.msgStart < line.end && frames[line.end - 1] === newline
      writer.number(line.end - line.bodyStart + (ended ? 0 : 1))
      writer.byte(0x20)
      writer.copy(frames, line.bodyStart, line.end)
      if (!ended) writer.byte(newline)
    }
  return { frames: writer.finish(), count: Math.min(all, lines) }
}
