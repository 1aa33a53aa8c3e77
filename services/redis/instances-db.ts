import type { AddonId, RotationId } from '#lib/ids.ts'
import { transaction, type Pool, type Queryable, type Transaction } from '#lib/postgres.ts'
import type { Resource, ResourceRequest } from '#lib/provider/resource.ts'
import type { Tuning } from './tuning.ts'

export type InstanceRow = Resource &
  Tuning & {
    /** Null until it is allotted, and again when the instance is gone. */
    port: number | null
    /** Null also while its provider speaks no TLS. */
    tlsPort: number | null
    /** Sealed; null for a tombstone. */
    password: string | null
    adminPassword: string | null
    /** Sealed, still good as well; null unless the password is being rotated. */
    formerPassword: string | null
    /** Connections from before that began with the former password. */
    rotatedAt: Date | null
    /** Connections that are to be ended with the former password; null: none are left to end. */
    connectionsToEnd: 'former' | 'every' | null
  }

const columns = `addon_id as "addonId", plan, previous_plan as "previousPlan", state,
  removal_wanted as "removalWanted", port, tls_port as "tlsPort", password, admin_password as "adminPassword",
  maxmemory_policy as "maxmemoryPolicy", timeout_seconds as "timeoutSeconds",
  notify_keyspace_events as "notifyKeyspaceEvents", rotation_ids as "rotationIds",
  former_password as "formerPassword", rotated_at as "rotatedAt",
  connections_to_end as "connectionsToEnd", former_password is not null as "formerValid"`

/** The instance's row, also of one that is gone. */
export async function findInstance(
  db: Queryable,
  addonId: AddonId,
): Promise<InstanceRow | undefined> {
  const { rows } = await db.query<InstanceRow>(
    `select ${columns} from instances where addon_id = $1`,
    [addonId],
  )
  return rows[0]
}

/** The row, locked until the transaction ends. */
export async function lockInstance(
  tx: Transaction,
  addonId: AddonId,
): Promise<InstanceRow | undefined> {
  const { rows } = await tx.query<InstanceRow>(
    `select ${columns} from instances where addon_id = $1 for update`,
    [addonId],
  )
  return rows[0]
}

/** Those that are not gone, by add-on, from the one behind `after`. */
export async function listInstances(
  db: Queryable,
  { after, limit }: { after: AddonId | undefined; limit: number },
): Promise<InstanceRow[]> {
  const { rows } = await db.query<InstanceRow>(
    `select ${columns} from instances
     where state <> 'deprovisioned' and ($1::uuid is null or addon_id > $1)
     order by addon_id limit $2`,
    [after ?? null, limit],
  )
  return rows
}

/** False when the add-on is known already. */
export async function insertInstance(
  tx: Transaction,
  row: ResourceRequest & { password: string; adminPassword: string },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into instances (addon_id, name, plan, password, admin_password)
     values ($1, $2, $3, $4, $5) on conflict (addon_id) do nothing`,
    [row.addonId, row.name, row.plan, row.password, row.adminPassword],
  )
  return rowCount === 1
}

/** An instance that never was, as gone. False when the add-on is known already. */
export async function insertTombstone(tx: Transaction, addonId: AddonId): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into instances (addon_id, name, plan, state, removal_wanted)
     values ($1, '', '', 'deprovisioned', true) on conflict (addon_id) do nothing`,
    [addonId],
  )
  return rowCount === 1
}

export async function wantRemoval(tx: Transaction, addonId: AddonId): Promise<void> {
  await tx.query(
    'update instances set removal_wanted = true, updated_at = now() where addon_id = $1',
    [addonId],
  )
}

export async function updatePlan(tx: Transaction, addonId: AddonId, plan: string): Promise<void> {
  await tx.query(
    `update instances set previous_plan = plan, plan = $2, updated_at = now() where addon_id = $1`,
    [addonId, plan],
  )
}

export async function updateTuning(
  tx: Transaction,
  addonId: AddonId,
  tuning: Tuning,
): Promise<void> {
  await tx.query(
    `update instances set maxmemory_policy = $2, timeout_seconds = $3,
       notify_keyspace_events = $4, updated_at = now()
     where addon_id = $1`,
    [addonId, tuning.maxmemoryPolicy, tuning.timeoutSeconds, tuning.notifyKeyspaceEvents],
  )
}

/** The password that it is to have from now on, beside the one that it has. */
export async function insertPassword(
  tx: Transaction,
  addonId: AddonId,
  { rotationIds, password }: { rotationIds: RotationId[]; password: string },
): Promise<void> {
  await tx.query(
    `update instances set rotation_ids = $2, former_password = password, password = $3,
       rotated_at = null, updated_at = now()
     where addon_id = $1`,
    [addonId, rotationIds, password],
  )
}

/** Writes down since when the instance knows its password, unless that is known. */
export async function markRotated(tx: Transaction, addonId: AddonId, at: Date): Promise<void> {
  await tx.query(
    `update instances set rotated_at = coalesce(rotated_at, $2), updated_at = now()
     where addon_id = $1 and former_password is not null`,
    [addonId, at],
  )
}

export async function deleteFormerPassword(
  tx: Transaction,
  addonId: AddonId,
  connectionsToEnd: 'former' | 'every',
): Promise<void> {
  await tx.query(
    `update instances set former_password = null, connections_to_end = $2, updated_at = now()
     where addon_id = $1`,
    [addonId, connectionsToEnd],
  )
}

export async function markConnectionsEnded(tx: Transaction, addonId: AddonId): Promise<void> {
  await tx.query(
    'update instances set connections_to_end = null, updated_at = now() where addon_id = $1',
    [addonId],
  )
}

/** False when its removal was asked for meanwhile: then it must not become ready. */
export async function markReady(tx: Transaction, addonId: AddonId): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update instances set state = 'ready', updated_at = now()
     where addon_id = $1 and not removal_wanted`,
    [addonId],
  )
  return rowCount === 1
}

export async function markDeprovisioning(tx: Transaction, addonId: AddonId): Promise<void> {
  await tx.query(
    `update instances set state = 'deprovisioning', updated_at = now() where addon_id = $1`,
    [addonId],
  )
}

/** What is left of an instance that is gone: no secret, and its port is free for another. */
export async function markDeprovisioned(tx: Transaction, addonId: AddonId): Promise<void> {
  await tx.query(
    `update instances set state = 'deprovisioned', port = null, tls_port = null, password = null,
       admin_password = null, former_password = null, updated_at = now()
     where addon_id = $1`,
    [addonId],
  )
}

/** Instances that are or will be there: each has or needs a port. */
export async function countInstances(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `select count(*)::int as count from instances where state <> 'deprovisioned'`,
  )
  return rows[0]?.count ?? 0
}

/** Slugs of the plans that instances have which are or will be there. */
export async function listPlansInUse(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ plan: string }>(
    `select distinct plan from instances where state <> 'deprovisioned' order by plan`,
  )
  return rows.map(({ plan }) => plan)
}

/** Instances that should run. */
export async function listReadyInstances(db: Queryable): Promise<InstanceRow[]> {
  const { rows } = await db.query<InstanceRow>(
    `select ${columns} from instances where state = 'ready' and not removal_wanted order by addon_id`,
  )
  return rows
}

/** Instances that may run: whose process a shutdown of everything has to stop. */
export async function listStandingInstances(db: Queryable): Promise<InstanceRow[]> {
  const { rows } = await db.query<InstanceRow>(
    `select ${columns} from instances where state <> 'deprovisioned' and port is not null
     order by addon_id`,
  )
  return rows
}

/**
 * Gives the instance the port that `choose` picks when told which are taken, and keeps the one
 * that it has. One process at a time, so that two never pick the same.
 */
export async function allotPort(
  pool: Pool,
  addonId: AddonId,
  column: 'port' | 'tls_port',
  choose: (taken: ReadonlySet<number>) => Promise<number>,
): Promise<void> {
  await transaction(pool, async (tx) => {
    await tx.query(`select pg_advisory_xact_lock(hashtext(current_schema() || '.ports'))`)
    const { rows } = await tx.query<{ addonId: string; port: number }>(
      `select addon_id as "addonId", ${column} as port from instances where ${column} is not null`,
    )
    if (rows.some((row) => row.addonId === addonId)) return
    const port = await choose(new Set(rows.map((row) => row.port)))
    await tx.query(
      `update instances set ${column} = $2, updated_at = now()
       where addon_id = $1 and state <> 'deprovisioned'`,
      [addonId, port],
    )
  })
}

/** Takes its ports from an instance that could not start on it and was never ready. */
export async function releasePorts(db: Queryable, addonId: AddonId): Promise<void> {
  await db.query(
    `update instances set port = null, tls_port = null, updated_at = now()
     where addon_id = $1 and state = 'provisioning'`,
    [addonId],
  )
}

/**
 * Runs `work` while no other process works on that instance: not a runner that lost its lease
 * while it was halted, nor the supervision. Ends with the process, however that ends.
 */
export async function withInstanceLock<T>(
  locks: Pool,
  addonId: AddonId,
  work: () => Promise<T>,
): Promise<T> {
  return transaction(locks, async (tx) => {
    await tx.query(`select pg_advisory_xact_lock(hashtext(current_schema() || $1))`, [addonId])
    return work()
  })
}

/** True for one process at a time, until its transaction ends. */
export async function trySupervisionLock(tx: Transaction): Promise<boolean> {
  const { rows } = await tx.query<{ locked: boolean }>(
    `select pg_try_advisory_xact_lock(hashtext(current_schema() || '.supervision')) as locked`,
  )
  return rows[0]?.locked === true
}
