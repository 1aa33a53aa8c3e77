import { backoffMs } from '#lib/backoff.ts'
import type { AddonId } from '#lib/ids.ts'
import { restartBackoff } from './limits.ts'

export type Retries = ReturnType<typeof createRetries>

/** Of instances with which something failed: how often it did, and when it is tried again. */
export function createRetries() {
  const failures = new Map<AddonId, { tries: number; notBeforeMs: number }>()
  return {
    /** False while the instance is to be left alone. */
    isDue: (addonId: AddonId): boolean => (failures.get(addonId)?.notBeforeMs ?? 0) <= Date.now(),
    /** @returns how often it has failed by now, in a row. */
    failed(addonId: AddonId): number {
      const tries = (failures.get(addonId)?.tries ?? 0) + 1
      failures.set(addonId, { tries, notBeforeMs: Date.now() + backoffMs(tries, restartBackoff) })
      return tries
    },
    succeeded: (addonId: AddonId): void => void failures.delete(addonId),
    /** Forgets those that are not listed any more. */
    prune(known: ReadonlySet<AddonId>): void {
      for (const addonId of failures.keys()) if (!known.has(addonId)) failures.delete(addonId)
    },
  }
}
