import { timestampDate, type Timestamp } from '@bufbuild/protobuf/wkt'
import { must } from '#lib/assert.ts'

/** ISO 8601 in UTC to the second, as the Platform API writes times. The first that is given. */
export function isoTime(...times: (Timestamp | undefined)[]): string {
  const time = must(
    times.find((candidate) => candidate !== undefined),
    'time in an answer',
  )
  return isoSeconds(timestampDate(time))
}

export function isoTimeOrNull(time: Timestamp | undefined): string | null {
  return time ? isoTime(time) : null
}

/** The same of a date. */
export function isoSeconds(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`
}
