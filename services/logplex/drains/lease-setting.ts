import type { DrainLimits } from './limits.ts'

/** How long a process has a drain without saying so again, and how often it says it. */
type DrainLease = Pick<DrainLimits, 'leaseMs' | 'tickMs'>

const secondsMax = 300
/** Of the lease: two renewals may fail before it ends. */
const tickShare = 0.3

/** Reads PLEXUS_DRAIN_LEASE_SECONDS; throws what it wants instead. */
export function parseLease(value: string): DrainLease {
  const seconds = Number(value)
  if (!/^\d+$/.test(value) || seconds < 1 || seconds > secondsMax)
    throw new Error(`wants whole seconds from 1 to ${secondsMax}, got ${JSON.stringify(value)}`)
  return { leaseMs: seconds * 1_000, tickMs: seconds * 1_000 * tickShare }
}
