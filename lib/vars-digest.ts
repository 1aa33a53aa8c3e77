import { createHash } from 'node:crypto'

/**
 * SHA-256 of variables, in hex: two services that hold the same ones find so without handing each
 * other their values.
 */
export function varsDigest(vars: Readonly<Record<string, string>>): string {
  const entries = Object.entries(vars).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256').update(JSON.stringify(entries)).digest('hex')
}
