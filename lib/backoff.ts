export type BackoffOptions = { firstMs: number; maxMs: number }

/**
 * How long to wait before try number `tries` + 1, in milliseconds: doubles from firstMs to maxMs,
 * with up to 20 % taken off at random so that many waiters do not come back together.
 */
export function backoffMs(tries: number, { firstMs, maxMs }: BackoffOptions): number {
  const full = Math.min(maxMs, firstMs * 2 ** Math.min(Math.max(tries - 1, 0), 30))
  return Math.round(full * (1 - 0.2 * Math.random()))
}
