import { backoffMs } from '#lib/backoff.ts'
import type { Log } from '#lib/log.ts'
import { transaction } from '#lib/postgres.ts'
import {
  listReadyDatabases,
  trySizeCheckLock,
  updateSize,
  type DatabaseRow,
  type SizeState,
} from './databases-db.ts'
import { planOf, type DatabasesContext } from './databases.ts'
import { closedBackoff, farOverFactor, growthPart } from './limits.ts'
import type { Plan } from './plans.ts'
import {
  endRoleSessions,
  observeSizes,
  restrictRole,
  type SizeObservation,
} from './server-admin.ts'

// What a database that outgrew its plan may do:
//
// - over its size: its sessions start read-only. PostgreSQL lets a session lift that for itself
//   (set transaction read write), and that is meant: the customer has to read, and to delete.
// - over 120 %: also one connection only, and whoever makes it grow further is shut out for a time
//   that doubles with each strike, from ten seconds to an hour. VACUUM FULL and CLUSTER, which
//   need room for a second copy before they free the first, do not count as growth.
// - within its size again: as before.
//
// So cleaning up is possible at any size, and nobody can fill the disk of the neighbours by
// insisting. Whenever the rules change, sessions are ended: theirs began under the old ones.

type SizeFields = Pick<DatabaseRow, 'sizeBytes' | 'sizeState' | 'strikes' | 'closedUntil'>

export type SizeDecision = {
  row: SizeFields
  readOnly: boolean
  connectionsMax: number
  /** The server does not stand like this yet, or somebody has to be shut out. */
  enforce: boolean
}

/** What follows from the size that was seen, given what was known. */
export function decideSize(
  known: SizeFields,
  seen: Omit<SizeObservation, 'databaseName'>,
  plan: Plan,
  nowMs: number,
): SizeDecision {
  const sizeState = sizeStateOf(seen.sizeBytes, plan)
  const farOver = sizeState === 'far-over'
  const grew =
    farOver &&
    known.sizeState === 'far-over' &&
    !seen.rewriting &&
    seen.sizeBytes > known.sizeBytes + growthPart * plan.sizeBytesMax
  const strikes = sizeState === 'fits' ? 0 : known.strikes + (grew ? 1 : 0)
  const closedUntil = grew
    ? new Date(nowMs + backoffMs(strikes, closedBackoff))
    : farOver
      ? known.closedUntil
      : null
  // Read-only that we did not set is the owner's own wish.
  const readOnly = sizeState !== 'fits' || (known.sizeState === 'fits' && seen.readOnly)
  const open = farOver ? 1 : plan.connectionsMax
  const connectionsMax = closedUntil && closedUntil.getTime() > nowMs ? 0 : open
  return {
    row: { sizeBytes: seen.sizeBytes, sizeState, strikes, closedUntil },
    readOnly,
    connectionsMax,
    enforce: grew || readOnly !== seen.readOnly || connectionsMax !== seen.connectionsMax,
  }
}

function sizeStateOf(sizeBytes: number, { sizeBytesMax }: Plan): SizeState {
  if (sizeBytes <= sizeBytesMax) return 'fits'
  return sizeBytes <= sizeBytesMax * farOverFactor ? 'over' : 'far-over'
}

/**
 * Compares every database's size with its plan and holds it to it. Takes no input and may run at
 * any time; of several processes one does it.
 */
export async function checkSizes(context: DatabasesContext, log: Log): Promise<void> {
  await transaction(context.pool, async (tx) => {
    if (!(await trySizeCheckLock(tx))) return
    const rows = await listReadyDatabases(tx)
    const names = rows.map(({ databaseName }) => databaseName)
    const seen = new Map(
      (await observeSizes(context.server, names)).map((size) => [size.databaseName, size]),
    )
    for (const row of rows) {
      const size = seen.get(row.databaseName)
      if (!size) {
        log.error({ alert: true, addon: row.addonId }, 'database is missing on the add-on server')
        continue
      }
      try {
        await holdToSize(context, row, size, log)
      } catch (error) {
        // Its removal may have overtaken us; the others are looked at all the same.
        log.warn({ err: error, addon: row.addonId }, 'size could not be enforced')
      }
    }
  })
}

async function holdToSize(
  { pool, server, plans }: DatabasesContext,
  row: DatabaseRow,
  seen: SizeObservation,
  log: Log,
): Promise<void> {
  const decision = decideSize(row, seen, planOf(plans, row), Date.now())
  const { readOnly, connectionsMax, enforce } = decision
  if (enforce) {
    const { roleName: role, databaseName: database } = row
    await restrictRole(server, { role, database, readOnly, connectionsMax })
    await endRoleSessions(server, role)
    const { sizeState, sizeBytes, strikes } = decision.row
    log.info({ addon: row.addonId, sizeState, sizeBytes, strikes }, 'database held to its size')
  }
  // Only after the server stands: what a crash leaves undone is then seen again as undone.
  await updateSize(pool, { addonId: row.addonId, ...decision.row })
}
