import { createHash } from 'node:crypto'

/**
 * A uuid that is always the same for the same text, for things that the schema wants to have an id
 * and that have no row anywhere: the one region, the stack, an add-on provider as a user.
 */
export function stableId(text: string): string {
  const hex = createHash('sha256').update(`plexus ${text}`).digest('hex')
  const variant = ((Number.parseInt(hex.slice(16, 18), 16) & 0x3f) | 0x80).toString(16)
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(18, 20)}`,
    hex.slice(20, 32),
  ].join('-')
}
