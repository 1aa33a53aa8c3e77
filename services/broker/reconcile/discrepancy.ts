/** What can be wrong; docs/OPERATIONS.md says of each what it means and what to do. */
type DiscrepancyKind =
  | 'app-gone'
  | 'not-moving'
  | 'stuck'
  | 'config-differs'
  | 'config-left-over'
  | 'config-unknown'
  | 'resource-missing'
  | 'resource-left-over'
  | 'resource-unknown'
  | 'plan-differs'
  | 'not-compared'

/** One thing that is not as it should be, with what mends it. */
export type Discrepancy = {
  kind: DiscrepancyKind
  /** Empty where it is about no add-on. */
  addonId: string
  /** Empty when the broker does not know the add-on. */
  addonName: string
  /** Empty where it is about no app. */
  appId: string
  /** A sentence. */
  what: string
  /** A sentence: what `repair` does, or what the operator has to do. */
  remedy: string
  /**
   * Mends it, or starts the workflow that does; does nothing when it is no longer so. Absent where
   * only a person can judge what is right.
   */
  repair?: () => Promise<void>
  /**
   * The broker knows nothing of it. That may be what an older backup of the broker has forgotten,
   * so that mending it, which removes it, takes a wish of its own.
   */
  unknown?: true
}
