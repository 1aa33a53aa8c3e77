import type { AddonId, AppId, RotationId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'

/**
 * What one of our own providers knows of a resource that it was asked for: a database, an
 * instance. A resource that is gone keeps its row as a tombstone, so that a late or repeated
 * request does not bring it back.
 */
export type Resource = {
  addonId: AddonId
  /** The plan that it has, or that a plan change is on its way to. */
  plan: string
  /** The plan before the last change; null when there was none. */
  previousPlan: string | null
  state: 'provisioning' | 'ready' | 'deprovisioning' | 'deprovisioned'
  /** The wish to be gone. Once raised it stays; the workflows read it and move the state. */
  removalWanted: boolean
  /** Ids of the rotations of its credentials, the newest first. */
  rotationIds: RotationId[]
  /** The credentials before the newest rotation are still good. */
  formerValid: boolean
}

/** A request for a resource, checked: the plan exists. */
export type ResourceRequest = { addonId: AddonId; name: string; plan: string }

/** The provider's table of resources, as its *-db.ts offers it. */
export type ResourceTable<R extends Resource> = {
  find: (db: Queryable, addonId: AddonId) => Promise<R | undefined>
  /** The row, locked until the transaction ends. */
  lock: (tx: Transaction, addonId: AddonId) => Promise<R | undefined>
  /** Those that are not gone, by id, from the one behind `after`. */
  list: (db: Queryable, page: { after: AddonId | undefined; limit: number }) => Promise<R[]>
  /** False when the id is known already, also as a tombstone. */
  insert: (tx: Transaction, request: ResourceRequest) => Promise<boolean>
  /** A resource that never was, deprovisioned. False when the id is known already. */
  insertTombstone: (tx: Transaction, addonId: AddonId) => Promise<boolean>
  /**
   * Writes down the plan that a ready resource, whose row is locked, is to have from now on. Throws
   * INVALID_PARAMS when there is no room for it.
   */
  setPlan: (tx: Transaction, resource: R, plan: string) => Promise<void>
  /**
   * `appId` is the app that it is billed to, for a provider that keeps something for its people.
   */
  wantRemoval: (tx: Transaction, addonId: AddonId, appId?: AppId) => Promise<void>
}
