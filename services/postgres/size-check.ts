import { backoffMs } from '#lib/backoff.ts'
import type { Log } from '#lib/log.ts'
import { transaction } from '#lib/postgres.ts'
import { getRunningWorkflow } from '#lib/workflow/workflows-db.ts'
import {
  findDatabase,
  listReadyDatabases,
  trySizeCheckLock,
  updateSize,
  type DatabaseRow,
  type SizeState,
} from './databases-db.ts'
import { planOf, type DatabasesContext } from './databases.ts'
import { closedBackoff, farOverFactor, growthPart, namedConnectionsMax } from './limits.ts'
import type { Plan } from './plans.ts'
import {
  endSessions,
  observeSizes,
  restrictRole,
  withDatabaseLock,
  type AdminSession,
  type SizeObservation,
} from './server-admin.ts'

// What a database that outgrew its plan may do:
//
// - over its size: its sessions start read-only. PostgreSQL lets a session lift that for itself
//   (set transaction read write), and that is meant: the customer has to read, and to delete.
// - over 120 %: also one connection only of each credential, and whoever makes it grow further is shut out for a time
//   that doubles with each strike, from ten seconds to an hour. VACUUM FULL and CLUSTER, which
//   need room for a second copy before they free the first, do not count as growth.
// - within its size again: as before.
//
// So cleaning up is possible at any size, and nobody can fill the disk of the neighbours by
// insisting. Whenever these rules change, sessions are ended: theirs began under the old ones.
// Another plan's number of connections ends none: those that are open stay, also beyond it.

type SizeFields = Pick<
  DatabaseRow,
  'sizeBytes' | 'sizeState' | 'strikes' | 'closedUntil' | 'connectionsKept'
>

export type SizeDecision = {
  row: SizeFields
  readOnly: boolean
  connectionsMax: number
  /** The server does not stand like this yet, or somebody has to be shut out. */
  enforce: boolean
  /** Open sessions began under rules that hold no longer. */
  endSessions: boolean
}

/** What follows from the size that was seen, given what was known. */
export function decideSize(
  known: SizeFields,
  seen: Omit<SizeObservation, 'databaseName' | 'roles'>,
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
  // The state is written down last: one that differs is of rules that may not be in force yet.
  const endSessions = grew || readOnly !== seen.readOnly || sizeState !== known.sizeState
  const withinPlan = Math.max(seen.sessions, seen.connectionsMax) <= plan.connectionsMax
  const connectionsKept = withinPlan ? 0 : known.connectionsKept
  return {
    row: { sizeBytes: seen.sizeBytes, sizeState, strikes, closedUntil, connectionsKept },
    readOnly,
    connectionsMax,
    enforce: endSessions || !seen.even || connectionsMax !== seen.connectionsMax,
    endSessions,
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
    const seen = new Map(
      (await observeSizes(context.server.pool, rows)).map((size) => [size.databaseName, size]),
    )
    for (const row of rows) {
      const size = seen.get(row.databaseName)
      if (!size) {
        // One that is being emptied is missing for a moment.
        if (await getRunningWorkflow(tx, row.addonId)) continue
        log.error({ alert: true, addon: row.addonId }, 'database is missing on the add-on server')
        continue
      }
      try {
        await checkSize(context, row, size, log)
      } catch (error) {
        // Its removal may have overtaken us; the others are looked at all the same.
        log.warn({ err: error, addon: row.addonId }, 'size could not be enforced')
      }
    }
  })
}

async function checkSize(
  context: DatabasesContext,
  row: DatabaseRow,
  seen: SizeObservation,
  log: Log,
): Promise<void> {
  const { addonId, databaseName, plan } = row
  const decision = decideSize(row, seen, planOf(context.plans, row), Date.now())
  if (!decision.enforce) {
    await updateSize(context.pool, { addonId, plan, ...decision.row })
    return
  }
  const held = await withDatabaseLock(context.server, databaseName, async (session) => {
    // As it is now: since it was listed its plan may have changed, or its removal begun.
    const now = await findDatabase(context.pool, addonId)
    if (now?.state !== 'ready' || now.removalWanted) return undefined
    return holdToSize(context, session, now)
  })
  if (!held) return
  const { sizeState, sizeBytes, strikes } = held
  log.info({ addon: addonId, sizeState, sizeBytes, strikes }, 'database held to its size')
}

/**
 * Looks at a database, whose lock the session has, and brings what it may do into line with its
 * size and its plan.
 */
export async function holdToSize(
  { pool, server, plans }: DatabasesContext,
  session: AdminSession,
  row: DatabaseRow,
): Promise<SizeFields> {
  const { addonId, plan, databaseName: database } = row
  const [seen] = await observeSizes(session, [row])
  if (!seen) throw new Error(`database ${database} is missing on the add-on server`)
  const decision = decideSize(row, seen, planOf(plans, row), Date.now())
  const { readOnly, connectionsMax } = decision
  for (const role of seen.roles) {
    const most = row.namedRoles.includes(role) ? namedConnectionsMax : connectionsMax
    const limited = { role, database, readOnly, connectionsMax: Math.min(connectionsMax, most) }
    if (decision.enforce) await restrictRole(server, session, limited)
    if (decision.endSessions) await endSessions(session, role)
  }
  // Only after the server stands: what a crash leaves undone is then seen again as undone.
  await updateSize(pool, { addonId, plan, ...decision.row })
  return decision.row
}
