import type { MessageInitShape } from '@bufbuild/protobuf'
import type { DrainOptionsSchema } from '#proto/logplex/v1/logplex_pb.ts'
import type { CreateLogDrain } from './schemas/logs.ts'

/** The options of a request that adds a drain, in logplex's words; what is wrong logplex says. */
export function readDrainOptions(said: CreateLogDrain['options']): {
  options?: MessageInitShape<typeof DrainOptionsSchema>
  backfill?: string
} {
  if (!said) return {}
  const { format = '', sample, insecure = false, backfill = false } = said
  return {
    options: {
      ...{ format, insecure, ...(sample !== undefined && { sample }) },
      ...{ source: several(said.source), type: several(said.type), text: several(said.text) },
      excludeSource: several(said.exclude_source),
      excludeType: several(said.exclude_type),
      excludeText: several(said.exclude_text),
    },
    backfill: backfill === false ? '' : String(backfill),
  }
}

function several(value: string | string[] = []): string[] {
  return typeof value === 'string' ? [value] : value
}
