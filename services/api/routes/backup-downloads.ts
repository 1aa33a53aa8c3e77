import type { IncomingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import type { BackupChunk } from '#proto/data/v1/transfers_pb.ts'
import { ApiRefusal } from '../api-refusal.ts'
import type { Api, ApiContext } from '../context.ts'
import { DownloadParams } from '../schemas/data.ts'

/** Before the ticket in a download address. */
export const downloads = '/backups/'

/** The file of a backup, for whoever has an address that pg:backups:url has printed. */
export function backupDownloadRoutes(api: Api, context: ApiContext): void {
  api.route({
    // Fastify's own HEAD would read the whole file, for a client that no longer listens.
    method: ['GET', 'HEAD'],
    url: `${downloads}:ticket`,
    schema: { params: DownloadParams },
    handler: async (request, reply) => {
      const { ticket } = request.params
      const first = await context.postgresData.readBackup({ ticket })
      const size = Number(first.sizeBytes)
      const isHead = request.method === 'HEAD'
      const from = isHead ? undefined : wantedFrom(request.headers)
      reply.header('Accept-Ranges', 'bytes').header('Cache-Control', 'no-store')
      if (from !== undefined && from >= size) {
        reply.header('Content-Range', `bytes */${size}`)
        throw new ApiRefusal('requested_range_not_satisfiable', `The backup has ${size} bytes.`)
      }
      if (from !== undefined)
        reply.code(206).header('Content-Range', `bytes ${from}-${size - 1}/${size}`)
      reply.header('Content-Length', String(size - (from ?? 0)))
      reply.header('Content-Disposition', `attachment; filename="${first.fileName}"`)
      reply.type('application/octet-stream')
      if (isHead) return reply.send()
      return reply.send(Readable.from(pieces(context, { ticket, first, from: from ?? 0 })))
    },
  })
}

/** Where a download that broke off goes on; undefined: at the beginning, as for any other range. */
function wantedFrom(headers: IncomingHttpHeaders): number | undefined {
  // We give no tag that such a condition could name, and one that names another is not met.
  if (headers['if-range'] !== undefined) return undefined
  const [, from] = /^bytes=(\d{1,15})-$/.exec(headers.range ?? '') ?? []
  return from === undefined ? undefined : Number(from)
}

/** Piece by piece: the next one is asked for when the client has taken the last. */
async function* pieces(
  { postgresData }: ApiContext,
  { ticket, first, from }: { ticket: string; first: BackupChunk; from: number },
): AsyncIterable<Uint8Array> {
  const read = (offset: bigint) => postgresData.readBackup({ ticket, offset })
  let offset = BigInt(from)
  for (let chunk = from === 0 ? first : await read(offset); ; chunk = await read(offset)) {
    if (chunk.data.length === 0) return
    yield chunk.data
    offset += BigInt(chunk.data.length)
    if (offset >= chunk.sizeBytes) return
  }
}
