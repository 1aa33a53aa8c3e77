import type { Timestamp } from '@bufbuild/protobuf/wkt'
import { formatBytes } from '#lib/format-bytes.ts'
import { isoTime } from '#lib/platform-api/time.ts'

/** A line of `heroku pg:info` and `redis:info`: a name with its values. */
export type InfoRow = { name: string; values: (string | number)[] }

export const infoRow = (name: string, value: string | number): InfoRow => ({
  name,
  values: [value],
})

/** "2026-11-28 05:20 UTC" */
export function infoTime(time: Timestamp | undefined): string {
  return `${isoTime(time).slice(0, 16).replace('T', ' ')} UTC`
}

/** What is used of what the plan has: "7.6 MB/1 GB (0.75%)". */
export function infoShare(used: bigint, most: bigint): string {
  const percent = most > 0n ? (Number(used) / Number(most)) * 100 : 0
  const share = `${formatBytes(Number(used))}/${formatBytes(Number(most))}`
  return `${share} (${percent.toFixed(2)}%)`
}

/** What `pg:wait` and `redis:wait` ask again and again. */
export type WaitStatus = { 'waiting?': boolean; message: string }

export const waitingFor = (message: string): WaitStatus => ({ 'waiting?': true, message })
export const available: WaitStatus = { 'waiting?': false, message: 'available' }
