import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type {
  DrainOptions,
  DrainOptionsSchema,
  DrainSchema,
  DrainStateSchema,
  TelemetryDrainSchema,
} from '#proto/logplex/v1/logplex_pb.ts'
import { drainOptionsOf, type DrainOptionsWish } from '../drains/drain-options.ts'
import type { LogDrainState } from '../log-drain.ts'
import type { DrainView } from './drains.ts'
import type { TelemetryDrainView } from './telemetry-drains.ts'

/** A drain in the words of proto/logplex/v1. */
export function drainMessage({
  row,
  drain,
  state,
}: DrainView): MessageInitShape<typeof DrainSchema> {
  return {
    id: row.id,
    appId: row.appId,
    token: row.token,
    url: drain.url,
    addonId: row.addonId ?? '',
    createdAt: timestampFromDate(row.createdAt),
    updatedAt: timestampFromDate(row.updatedAt),
    options: optionsMessage(drain.url),
    ...(state && { state: stateMessage(state) }),
  }
}

/** A telemetry drain in the words of proto/logplex/v1. */
export function telemetryDrainMessage({
  row,
  exporter,
  state,
}: TelemetryDrainView): MessageInitShape<typeof TelemetryDrainSchema> {
  return {
    id: row.id,
    appId: row.appId,
    exporter,
    createdAt: timestampFromDate(row.createdAt),
    updatedAt: timestampFromDate(row.updatedAt),
    ...(state && { state: stateMessage(state) }),
  }
}

function stateMessage(state: LogDrainState): MessageInitShape<typeof DrainStateSchema> {
  return {
    received: BigInt(state.received),
    delivered: BigInt(state.delivered),
    pending: BigInt(state.pending),
    dropped: BigInt(state.dropped),
    overflowed: BigInt(state.overflowed),
    refused: BigInt(state.refused),
    filtered: BigInt(state.filtered),
    replayed: BigInt(state.replayed),
    ...(state.lagSeconds !== undefined && { lagSeconds: state.lagSeconds }),
    ...(state.lastAnswer && {
      lastAnswer: state.lastAnswer.text,
      answeredAt: timestampFromDate(state.lastAnswer.at),
    }),
    lastError: state.lastError,
  }
}

function optionsMessage(url: string): MessageInitShape<typeof DrainOptionsSchema> {
  const { format, include, exclude, sample, insecure } = drainOptionsOf(new URL(url))
  return {
    ...{ format, ...include, sample, insecure },
    excludeSource: exclude.source,
    excludeType: exclude.type,
    excludeText: exclude.text,
  }
}

/** What is said beside a url; it is judged when it stands in there. */
export function readOptionsMessage(said: DrainOptions): DrainOptionsWish {
  const { format, source, type, text, excludeSource, excludeType, excludeText } = said
  return {
    ...(format !== '' && { format }),
    include: { source, type, text },
    exclude: { source: excludeSource, type: excludeType, text: excludeText },
    ...(said.sample !== undefined && { sample: said.sample }),
    insecure: said.insecure,
  }
}
