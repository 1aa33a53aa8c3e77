import type { StoredLine } from '../app-log/stored-line.ts'

/** Which lines a tail shows. `key` is the same for filters that let the same lines pass. */
export type LineFilter = {
  key: string
  source: Uint8Array | undefined
  dyno: Uint8Array | undefined
}

const dot = 0x2e

/** `source` is matched exactly, `dyno` exactly ("web.1") or by type ("web"); empty lets all pass. */
export function lineFilter(source: string, dyno: string): LineFilter {
  return {
    key: JSON.stringify([source, dyno]),
    source: source === '' ? undefined : Buffer.from(source),
    dyno: dyno === '' ? undefined : Buffer.from(dyno),
  }
}

export function letsAllPass(filter: LineFilter): boolean {
  return !filter.source && !filter.dyno
}

export function passes(filter: LineFilter, frames: Uint8Array, line: StoredLine): boolean {
  const { source, dyno } = filter
  if (source) {
    if (line.sourceEnd - line.sourceStart !== source.length) return false
    if (!startsWith(frames, line.sourceStart, source)) return false
  }
  if (dyno) {
    const length = line.procEnd - line.procStart
    if (length < dyno.length) return false
    if (length > dyno.length && frames[line.procStart + dyno.length] !== dot) return false
    if (!startsWith(frames, line.procStart, dyno)) return false
  }
  return true
}

function startsWith(bytes: Uint8Array, at: number, prefix: Uint8Array): boolean {
  for (let i = 0; i < prefix.length; i++) if (bytes[at + i] !== prefix[i]) return false
  return true
}
