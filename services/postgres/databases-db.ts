import type { AddonId, AppId, RotationId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'
import type { Resource } from '#lib/provider/resource.ts'

export type SizeState = 'fits' | 'over' | 'far-over'

export type DatabaseRow = Resource & {
  /** The add-on's name when it was asked for. */
  name: string
  /** The app that it is billed to; null before its removal is asked for. */
  appId: AppId | null
  databaseName: string
  roleName: string
  /** Sealed; null for a tombstone. */
  password: string | null
  sizeBytes: number
  sizeState: SizeState
  /** How often it was found growing while far over, since it last fitted. */
  strikes: number
  /** Until then nobody may connect, for it grew while far over. */
  closedUntil: Date | null
  /** What a larger plan's sessions may still hold until enough of them have ended; else 0. */
  connectionsKept: number
  /** Who else may log in, with what before the last rotation was the credential; null: nobody. */
  formerRoleName: string | null
  /** Sealed. */
  formerPassword: string | null
  /** Sessions that began before that began with the former credential. */
  rotatedAt: Date | null
  /** Roles of the credentials that its customer has named, former ones too. */
  namedRoles: string[]
}

const columns = `addon_id as "addonId", name, app_id as "appId", plan, previous_plan as "previousPlan", state,
  removal_wanted as "removalWanted", database_name as "databaseName", role_name as "roleName", password,
  size_bytes::float8 as "sizeBytes", size_state as "sizeState", strikes,
  closed_until as "closedUntil", connections_kept as "connectionsKept",
  rotation_ids as "rotationIds", former_role_name as "formerRoleName",
  former_password as "formerPassword", rotated_at as "rotatedAt",
  (former_role_name is not null or exists (select from named_credentials n
    where n.addon_id = databases.addon_id and n.former_role_name is not null)) as "formerValid",
  array(select role from named_credentials n
    cross join unnest(array[n.role_name, n.former_role_name]) role
    where n.addon_id = databases.addon_id and role is not null order by n.name) as "namedRoles"`

/** The database's row, also of one that is gone. */
export async function findDatabase(
  db: Queryable,
  addonId: AddonId,
): Promise<DatabaseRow | undefined> {
  const { rows } = await db.query<DatabaseRow>(
    `select ${columns} from databases where addon_id = $1`,
    [addonId],
  )
  return rows[0]
}

/** The row of the database with that name on the add-on server. */
export async function findDatabaseNamed(
  db: Queryable,
  databaseName: string,
): Promise<DatabaseRow | undefined> {
  const { rows } = await db.query<DatabaseRow>(
    `select ${columns} from databases where database_name = $1`,
    [databaseName],
  )
  return rows[0]
}

/** The row, locked until the transaction ends. */
export async function lockDatabase(
  tx: Transaction,
  addonId: AddonId,
): Promise<DatabaseRow | undefined> {
  const { rows } = await tx.query<DatabaseRow>(
    `select ${columns} from databases where addon_id = $1 for update`,
    [addonId],
  )
  return rows[0]
}

/** Those that are not gone, by add-on, from the one behind `after`. */
export async function listDatabases(
  db: Queryable,
  { after, limit }: { after: AddonId | undefined; limit: number },
): Promise<DatabaseRow[]> {
  const { rows } = await db.query<DatabaseRow>(
    `select ${columns} from databases
     where state <> 'deprovisioned' and ($1::uuid is null or addon_id > $1)
     order by addon_id limit $2`,
    [after ?? null, limit],
  )
  return rows
}

/** False when the add-on is known already. */
export async function insertDatabase(
  tx: Transaction,
  row: {
    addonId: AddonId
    name: string
    plan: string
    databaseName: string
    roleName: string
    password: string
  },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into databases (addon_id, name, plan, database_name, role_name, password)
     values ($1, $2, $3, $4, $5, $6) on conflict (addon_id) do nothing`,
    [row.addonId, row.name, row.plan, row.databaseName, row.roleName, row.password],
  )
  return rowCount === 1
}

/** A database that never was, as gone. False when the add-on is known already. */
export async function insertTombstone(
  tx: Transaction,
  row: { addonId: AddonId; databaseName: string; roleName: string },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into databases (addon_id, name, plan, database_name, role_name, state, removal_wanted)
     values ($1, '', '', $2, $3, 'deprovisioned', true) on conflict (addon_id) do nothing`,
    [row.addonId, row.databaseName, row.roleName],
  )
  return rowCount === 1
}

export async function wantRemoval(tx: Transaction, addonId: AddonId, appId?: AppId): Promise<void> {
  await tx.query(
    `update databases set removal_wanted = true, app_id = coalesce($2, app_id), updated_at = now()
     where addon_id = $1`,
    [addonId, appId ?? null],
  )
}

export async function updatePlan(
  tx: Transaction,
  row: { addonId: AddonId; plan: string; connectionsKept: number },
): Promise<void> {
  await tx.query(
    `update databases set previous_plan = plan, plan = $2, connections_kept = $3,
       updated_at = now()
     where addon_id = $1`,
    [row.addonId, row.plan, row.connectionsKept],
  )
}

export async function setRotationIds(
  tx: Transaction,
  addonId: AddonId,
  rotationIds: RotationId[],
): Promise<void> {
  await tx.query('update databases set rotation_ids = $2 where addon_id = $1', [
    addonId,
    rotationIds,
  ])
}

/** The credential that it is to have from now on, beside the one that it has. */
export async function insertCredential(
  tx: Transaction,
  addonId: AddonId,
  credential: { roleName: string; password: string },
): Promise<void> {
  await tx.query(
    `update databases set former_role_name = role_name, former_password = password,
       role_name = $2, password = $3, updated_at = now()
     where addon_id = $1`,
    [addonId, credential.roleName, credential.password],
  )
}

export async function markRotated(tx: Transaction, addonId: AddonId, at: Date): Promise<void> {
  await tx.query('update databases set rotated_at = $2, updated_at = now() where addon_id = $1', [
    addonId,
    at,
  ])
}

export async function deleteFormerCredential(tx: Transaction, addonId: AddonId): Promise<void> {
  await tx.query(
    `update databases set former_role_name = null, former_password = null, rotated_at = null,
       updated_at = now()
     where addon_id = $1`,
    [addonId],
  )
}

/** False when its removal was asked for meanwhile: then it must not become ready. */
export async function markReady(tx: Transaction, addonId: AddonId): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update databases set state = 'ready', updated_at = now()
     where addon_id = $1 and not removal_wanted`,
    [addonId],
  )
  return rowCount === 1
}

export async function markDeprovisioning(tx: Transaction, addonId: AddonId): Promise<void> {
  await tx.query(
    `update databases set state = 'deprovisioning', updated_at = now() where addon_id = $1`,
    [addonId],
  )
}

/** What is left of a database that is gone: its names, and no secret. */
export async function markDeprovisioned(tx: Transaction, addonId: AddonId): Promise<void> {
  await tx.query(
    `update databases set state = 'deprovisioned', password = null, former_role_name = null,
       former_password = null, rotated_at = null, updated_at = now()
     where addon_id = $1`,
    [addonId],
  )
}

/** Until its transaction ends, nobody else sells connections: what is counted then still holds. */
export async function lockRoom(tx: Transaction): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(hashtext(current_schema() || '.room'))`)
}

/** Slugs of the plans that databases have which are or will be there. */
export async function listPlansInUse(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ plan: string }>(
    `select distinct plan from databases where state <> 'deprovisioned' order by plan`,
  )
  return rows.map(({ plan }) => plan)
}

export type DatabaseCount = { plan: string; connectionsKept: number; databases: number }

/**
 * How many databases of each plan there are or are still to be made or removed. One whose former
 * credential is good counts twice: each of its two roles may open the plan's connections.
 */
export async function countDatabases(db: Queryable): Promise<DatabaseCount[]> {
  const { rows } = await db.query<DatabaseCount>(
    `select plan, connections_kept as "connectionsKept",
       (count(*) + count(former_role_name))::int as databases
     from databases
     where state <> 'deprovisioned' group by plan, connections_kept`,
  )
  return rows
}

/** True for one process at a time, until its transaction ends. */
export async function trySizeCheckLock(tx: Transaction): Promise<boolean> {
  const { rows } = await tx.query<{ locked: boolean }>(
    `select pg_try_advisory_xact_lock(hashtext(current_schema() || '.size-check')) as locked`,
  )
  return rows[0]?.locked === true
}

export async function listReadyDatabases(db: Queryable): Promise<DatabaseRow[]> {
  const { rows } = await db.query<DatabaseRow>(
    `select ${columns} from databases where state = 'ready' and not removal_wanted order by addon_id`,
  )
  return rows
}

/** Writes down what follows for a database of that plan: for one that has another now, nothing. */
export async function updateSize(
  db: Queryable,
  row: Pick<
    DatabaseRow,
    'addonId' | 'plan' | 'sizeBytes' | 'sizeState' | 'strikes' | 'closedUntil' | 'connectionsKept'
  >,
): Promise<void> {
  const { addonId, plan, sizeState, strikes, closedUntil, connectionsKept } = row
  await db.query(
    `update databases set size_bytes = $3, size_state = $4, strikes = $5, closed_until = $6,
       connections_kept = $7
     where addon_id = $1 and plan = $2`,
    [addonId, plan, Math.round(row.sizeBytes), sizeState, strikes, closedUntil, connectionsKept],
  )
}
