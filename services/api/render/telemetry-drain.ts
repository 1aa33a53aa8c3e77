import { must } from '#lib/assert.ts'
import { isoTime } from '#lib/platform-api/time.ts'
import type { TelemetryDrain } from '#proto/logplex/v1/logplex_pb.ts'

/** With the exporter's headers, which may be credentials: only to who may touch the app. */
export function renderTelemetryDrain(drain: TelemetryDrain) {
  const { endpoint, headers } = must(drain.exporter, 'exporter of a telemetry drain')
  return {
    created_at: isoTime(drain.createdAt),
    exporter: { endpoint, headers, type: 'otlphttp' },
    id: drain.id,
    owner: { id: drain.appId, type: 'app' },
    // All that Plexus has, whatever else was asked for.
    signals: ['logs'],
    updated_at: isoTime(drain.updatedAt, drain.createdAt),
  }
}
