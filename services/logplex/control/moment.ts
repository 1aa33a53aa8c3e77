import { invalidParams } from '#lib/errors.ts'
import { readLineTime } from '../line-time.ts'

const unitMs: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/**
 * Reads an RFC 3339 time, the way lines' times are read, or how long ago one is ("10m").
 *
 * @param name what the sentence says of a text that is neither: "Since"
 * @returns ms since the epoch; undefined of an empty text
 */
export function readMoment(name: string, text: string, now: Date): number | undefined {
  if (text === '') return undefined
  const [, count, unit = ''] = /^(\d{1,7})([smhd])$/.exec(text) ?? []
  if (count) return now.getTime() - Number(count) * (unitMs[unit] ?? 0)
  const bytes = Buffer.from(text)
  const ms = readLineTime(bytes, 0, bytes.length)
  if (!Number.isNaN(ms)) return ms
  const shapes = 'a time as 2026-11-21T09:00:00Z (RFC 3339), or how long ago: 30s, 10m, 2h, 7d'
  throw invalidParams(`${name} must be ${shapes}.`)
}
