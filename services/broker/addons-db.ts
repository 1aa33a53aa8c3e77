import { must } from '#lib/assert.ts'
import type { AddonId, AppId } from '#lib/ids.ts'
import type { Queryable, Transaction } from '#lib/postgres.ts'

export type AddonState = 'provisioning' | 'provisioned' | 'deprovisioning' | 'deprovisioned'

export type AddonRow = {
  id: AddonId
  name: string
  state: AddonState
  planId: string
  appId: AppId
  providerId: string
  sealedOptions: string
  sealedConfig: string | null
  configNames: string[]
  provisionMessage: string
  /** The provider calls back when it is done with what it was asked. */
  answered202: boolean
  destroyWished: boolean
  /** The operator calls it gone, whatever its provider says. */
  forgotten: boolean
  /** Counts the changes of the config. */
  configVersion: number
  wantedPlanId: string | null
  changeFailure: string
  changeFailureCode: number
  /** Logplex may have something of it. */
  logsOpened: boolean
  /** For the drains of all its attachments. Empty: the provider answered none. */
  sealedLogDrainUrl: string
  /** The provider has been asked for it, and may have something of it. */
  maybeMade: boolean
  /** What the provider calls the work that it is at; empty: it has no name. Null: there is none. */
  operation: string | null
  /** Empty: the provider answered none. */
  sealedDashboardUrl: string
  confirm: string
  failure: string
  failureCode: number
  actorId: string
  actorEmail: string
  createdAt: Date
  updatedAt: Date
}

const columns = `addons.id, addons.name, addons.state, addons.plan_id as "planId",
  addons.app_id as "appId", provider_id as "providerId", sealed_options as "sealedOptions",
  sealed_config as "sealedConfig", config_names as "configNames",
  provision_message as "provisionMessage", answered_202 as "answered202", destroy_wished as "destroyWished",
  forgotten, config_version as "configVersion", wanted_plan_id as "wantedPlanId",
  change_failure as "changeFailure", change_failure_code as "changeFailureCode",
  logs_opened as "logsOpened",
  sealed_log_drain_url as "sealedLogDrainUrl", maybe_made as "maybeMade", addons.operation,
  sealed_dashboard_url as "sealedDashboardUrl", addons.confirm, addons.failure,
  addons.failure_code as "failureCode", addons.actor_id as "actorId",
  addons.actor_email as "actorEmail", addons.created_at as "createdAt",
  addons.updated_at as "updatedAt"`

/** Throws a unique violation of addons_name when the name is taken. */
export async function insertAddon(
  tx: Transaction,
  addon: Pick<
    AddonRow,
    'id' | 'name' | 'planId' | 'appId' | 'sealedOptions' | 'confirm' | 'actorId' | 'actorEmail'
  >,
): Promise<void> {
  await tx.query(
    `insert into addons (id, name, state, plan_id, app_id, sealed_options, confirm, actor_id,
       actor_email, maybe_made)
     values ($1, $2, 'provisioning', $3, $4, $5, $6, $7, $8, false)`,
    [
      addon.id,
      addon.name,
      addon.planId,
      addon.appId,
      addon.sealedOptions,
      addon.confirm,
      addon.actorId,
      addon.actorEmail,
    ],
  )
}

export async function findAddon(db: Queryable, id: AddonId): Promise<AddonRow | undefined> {
  const { rows } = await db.query<AddonRow>(`select ${columns} from addons where id = $1`, [id])
  return rows[0]
}

/** The row of an add-on that is known to be there: the subject of a workflow, for one. */
export async function mustFindAddon(db: Queryable, id: string): Promise<AddonRow> {
  return must(await findAddon(db, id as AddonId), 'add-on')
}

/** The row, locked until the transaction ends: its state stays what it is. */
export async function lockAddon(tx: Transaction, id: AddonId): Promise<AddonRow | undefined> {
  const { rows } = await tx.query<AddonRow>(
    `select ${columns} from addons where id = $1 for no key update`,
    [id],
  )
  return rows[0]
}

/**
 * Locks an app's add-ons against others being added until the transaction ends; those there are.
 */
export async function lockAddonsOfApp(tx: Transaction, appId: AppId): Promise<AddonRow[]> {
  await tx.query('select pg_advisory_xact_lock(hashtext($1))', [`addons of app ${appId}`])
  return listBilledAddons(tx, appId)
}

/** Every add-on that is not deprovisioned and is billed to the app. */
export async function listBilledAddons(db: Queryable, appId: AppId): Promise<AddonRow[]> {
  const { rows } = await db.query<AddonRow>(
    `select ${columns} from addons where app_id = $1 and state <> 'deprovisioned' order by name`,
    [appId],
  )
  return rows
}

/** Every add-on that is not deprovisioned and is billed to, or attached to, one of the apps. */
export async function listAddonsOfApps(db: Queryable, appIds: AppId[]): Promise<AddonRow[]> {
  const { rows } = await db.query<AddonRow>(
    `select ${columns} from addons where state <> 'deprovisioned' and (
       app_id = any($1::uuid[]) or exists (
         select from attachments where addon_id = addons.id and state <> 'removed'
           and attachments.app_id = any($1::uuid[])))
     order by name`,
    [appIds],
  )
  return rows
}

/** Like listAddonsOfApps, only those of that name or id. */
export async function findAddonsOfApps(
  db: Queryable,
  appIds: AppId[],
  nameOrId: string,
): Promise<AddonRow[]> {
  const { rows } = await db.query<AddonRow>(
    `select ${columns} from addons where state <> 'deprovisioned'
       and (name = $2 or id::text = lower($2)) and (
       app_id = any($1::uuid[]) or exists (
         select from attachments where addon_id = addons.id and state <> 'removed'
           and attachments.app_id = any($1::uuid[])))
     order by name`,
    [appIds, nameOrId],
  )
  return rows
}

/** The newest add-on of that name or id on the apps that failed to be provisioned just now. */
export async function findFailedAddon(
  db: Queryable,
  appIds: AppId[],
  options: { nameOrId: string; withinSeconds: number },
): Promise<AddonRow | undefined> {
  const { rows } = await db.query<AddonRow>(
    `select ${columns} from addons where state = 'deprovisioned' and failure <> ''
       and (name = $2 or id::text = lower($2)) and app_id = any($1::uuid[])
       and updated_at > now() - make_interval(secs => $3)
     order by created_at desc limit 1`,
    [appIds, options.nameOrId, options.withinSeconds],
  )
  return rows[0]
}

/** Every app with an add-on or an attachment that is neither gone nor going. */
export async function listAppIdsInUse(db: Queryable): Promise<AppId[]> {
  const { rows } = await db.query<{ appId: AppId }>(
    `select app_id as "appId" from addons where state in ('provisioning', 'provisioned')
     union
     select app_id from attachments where state in ('attaching', 'attached')`,
  )
  return rows.map(({ appId }) => appId)
}

/** Those that are not gone. */
export async function countAddons(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `select count(*)::int as count from addons where state <> 'deprovisioned'`,
  )
  return rows[0]?.count ?? 0
}

export async function listAddonsById(db: Queryable, ids: AddonId[]): Promise<AddonRow[]> {
  const { rows } = await db.query<AddonRow>(
    `select ${columns} from addons where id = any($1::uuid[])`,
    [ids],
  )
  return rows
}

/** The provider's variables, sealed, and their names. */
export async function saveConfig(
  tx: Transaction,
  id: AddonId,
  config: Pick<AddonRow, 'sealedConfig' | 'configNames'>,
): Promise<void> {
  await tx.query(
    `update addons set sealed_config = $2, config_names = $3, config_version = config_version + 1,
       updated_at = now() where id = $1`,
    [id, config.sealedConfig, config.configNames],
  )
}

/** Notes that Logplex is going to be asked. */
export async function setLogsOpened(tx: Transaction, id: AddonId): Promise<void> {
  await tx.query('update addons set logs_opened = true where id = $1', [id])
}

export async function setLogDrainUrl(
  tx: Transaction,
  id: AddonId,
  sealedLogDrainUrl: string,
): Promise<void> {
  await tx.query('update addons set sealed_log_drain_url = $2 where id = $1', [
    id,
    sealedLogDrainUrl,
  ])
}

/** Notes which plan is asked for, and who asked: the user of the releases that this makes. */
export async function setPlanWish(
  tx: Transaction,
  id: AddonId,
  planId: string,
  actor: { accountId: string; email: string },
): Promise<void> {
  await tx.query(
    `update addons set wanted_plan_id = $2, change_failure = '', change_failure_code = 0,
       operation = null, actor_id = $3, actor_email = $4, updated_at = now() where id = $1`,
    [id, planId, actor.accountId, actor.email],
  )
}

/** The plan that was asked for is the one that it has. */
export async function setWantedPlan(tx: Transaction, id: AddonId, message: string): Promise<void> {
  await tx.query(
    `update addons set plan_id = wanted_plan_id, wanted_plan_id = null, provision_message = $2,
       operation = null, config_version = config_version + 1, updated_at = now() where id = $1`,
    [id, message],
  )
}

/** It stays with the plan that it has. */
export async function setChangeFailure(
  tx: Transaction,
  id: AddonId,
  failure: { code: number; message: string },
): Promise<void> {
  await tx.query(
    `update addons set wanted_plan_id = null, change_failure = $2, change_failure_code = $3,
       provision_message = $2, updated_at = now() where id = $1`,
    [id, failure.message, failure.code],
  )
}

export async function setForgotten(tx: Transaction, id: AddonId): Promise<void> {
  await tx.query('update addons set forgotten = true, updated_at = now() where id = $1', [id])
}

/** By name or id, of whoever it is; not those that are gone. For the operator. */
export async function findAnyAddon(db: Queryable, nameOrId: string): Promise<AddonRow | undefined> {
  const { rows } = await db.query<AddonRow>(
    `select ${columns} from addons
     where state <> 'deprovisioned' and (name = $1 or id::text = lower($1))`,
    [nameOrId],
  )
  return rows[0]
}

export async function setProvisionMessage(
  tx: Transaction,
  id: AddonId,
  message: string,
): Promise<void> {
  await tx.query('update addons set provision_message = $2, updated_at = now() where id = $1', [
    id,
    message,
  ])
}

export async function setAddonState(
  tx: Transaction,
  id: AddonId,
  state: AddonState,
): Promise<void> {
  await tx.query('update addons set state = $2, updated_at = now() where id = $1', [id, state])
}

export async function setAddonFailure(
  tx: Transaction,
  id: AddonId,
  failure: { code: number; message: string },
): Promise<void> {
  await tx.query('update addons set failure = $2, failure_code = $3 where id = $1', [
    id,
    failure.message,
    failure.code,
  ])
}

/** Notes that the add-on is to go, and who asked: the user of the releases that this makes. */
export async function setDestroyWished(
  tx: Transaction,
  id: AddonId,
  actor: { accountId: string; email: string },
): Promise<void> {
  await tx.query(
    `update addons set destroy_wished = true, actor_id = $2, actor_email = $3,
       updated_at = now() where id = $1`,
    [id, actor.accountId, actor.email],
  )
}

/** The end: credentials and options are forgotten, and what the provider may call back with. */
export async function setAddonDeprovisioned(tx: Transaction, id: AddonId): Promise<void> {
  await tx.query('delete from grants where addon_id = $1', [id])
  await tx.query(
    `update addons set state = 'deprovisioned', sealed_config = null, sealed_options = '',
       config_names = '{}', sealed_log_drain_url = '',
       sealed_dashboard_url = '', operation = null, updated_at = now()
     where id = $1`,
    [id],
  )
}

/** Throws a unique violation of addons_name when the name is taken. */
export async function renameAddonRow(tx: Transaction, id: AddonId, name: string): Promise<void> {
  await tx.query('update addons set name = $2, updated_at = now() where id = $1', [id, name])
}

/**
 * Deletes rows that were deprovisioned so long ago, the oldest first, once no attachment has one.
 */
export async function deleteDeprovisionedAddons(
  db: Queryable,
  { olderThanDays, limit }: { olderThanDays: number; limit: number },
): Promise<void> {
  await db.query(
    `delete from addons where id in (
       select id from addons
       where state = 'deprovisioned' and updated_at < now() - make_interval(days => $1)
         and not exists (select from attachments where addon_id = addons.id)
       order by updated_at limit $2 for update skip locked)`,
    [olderThanDays, limit],
  )
}
