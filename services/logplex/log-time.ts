/** A time as log lines carry it: UTC with six digits and a numeric offset. */
export function formatLogTime(time: Date): string {
  return `${time.toISOString().slice(0, -1)}000+00:00`
}

/** Now, as the bytes of a line's TIME. */
export function logTimeNow(): Uint8Array {
  return Buffer.from(formatLogTime(new Date()))
}
